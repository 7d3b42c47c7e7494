use super::*;

fn size<'a, F: Future>(_run: impl FnOnce(&'a Arc<Inner>, &'a Arc<Stack>, Box<Start<'a>>) -> F) -> usize {
    size_of::<F>()
}

/// Each active call has one.
#[test]
fn the_future_of_a_call_is_small() {
    assert!(size(run) <= 1_280, "{}", size(run));
}
