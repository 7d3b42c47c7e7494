//! Mutations of seeds without libFuzzer: the same ones in every run.

/// Bytes that separate, quote, escape and nest in the formats that are parsed here.
const MARKS: &[u8] = b"\r\n\t \0\"'\\<>()[]{},;:=@#%+-./?&~\x7f\x80\xff0195aZ";

/// A mutated seed has at most this many bytes, so that each is quick.
const MAX_BYTES: usize = 4_096;

/// Makes `count` inputs from the seeds. Each has one to four changes: bytes are changed, removed, repeated or inserted,
/// or a part of another seed is taken over.
pub fn mutations(seeds: &[Vec<u8>], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..count).filter_map(move |_| {
        let mut bytes = seeds.get(random.below(seeds.len()))?.clone();
        bytes.truncate(MAX_BYTES);
        for _ in 0..=random.below(4) {
            change(&mut bytes, seeds, &mut random);
        }
        bytes.truncate(MAX_BYTES);
        Some(bytes)
    })
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let most = random.below(64) + 1;
    let end = (at + random.below(most)).min(bytes.len());
    let mark = MARKS[random.below(MARKS.len())];
    match random.below(8) {
        0 => bytes.insert(at, mark),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part.repeat(1 + random.below(8)));
        }
        3 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len() + 1);
            let part = other[from..(from + random.below(200)).min(other.len())].to_vec();
            bytes.splice(at..end, part);
        }
        4 => bytes.truncate(at),
        kind => {
            if let Some(byte) = bytes.get_mut(at) {
                match kind {
                    5 => *byte ^= 1 << random.below(8),
                    6 => *byte = mark,
                    _ => *byte = byte.wrapping_add(1),
                }
            }
        }
    }
}

/// xorshift64: the numbers only need to be the same in every run.
struct Random(u64);

impl Random {
    /// A number below the bound; 0 for the bound 0.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or_default().checked_rem(bound).unwrap_or_default()
    }
}
