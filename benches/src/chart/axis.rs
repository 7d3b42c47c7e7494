//! A logarithmic axis.

/// The first digits of values that an axis marks.
const DIGITS: [u32; 3] = [1, 2, 5];
/// Maximum number of marks of an axis; with more, only powers of ten are marked.
const MAX_TICKS: usize = 14;

/// An axis between two values that it marks.
#[derive(Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    /// The positions of the two values, in pixels.
    ends: (f64, f64),
}

impl Axis {
    /// The shortest axis that has all of these values, which are positive.
    pub(super) fn of(values: impl Iterator<Item = f64>, ends: (f64, f64)) -> Self {
        let (least, most) =
            values.fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
        let marks = marks();
        // Without a value any axis will do.
        let low = marks.iter().copied().rfind(|mark| *mark <= least).unwrap_or(1.0);
        let low = if least.is_finite() { low } else { 1.0 };
        let above = |mark: &f64| *mark >= most && *mark > low;
        let high = marks.iter().copied().find(above).unwrap_or(low * 10.0);
        Self { low, high, ends }
    }

    /// The position of a value, in pixels.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = (value / self.low).log10() / (self.high / self.low).log10();
        let (start, end) = self.ends;
        start + share * (end - start)
    }

    /// The marked values, and their positions in pixels.
    pub(super) fn ticks(&self) -> Vec<(f64, f64)> {
        let inside = |mark: &f64| *mark >= self.low && *mark <= self.high;
        let all: Vec<f64> = marks().into_iter().filter(inside).collect();
        let is_shown = |mark: &f64| all.len() <= MAX_TICKS || is_power_of_ten(*mark);
        all.iter().copied().filter(is_shown).map(|mark| (mark, self.place(mark))).collect()
    }
}

fn is_power_of_ten(mark: f64) -> bool {
    let power = mark.log10();
    (power - power.round()).abs() < 1e-9
}

/// All values that an axis can mark, from the least.
fn marks() -> Vec<f64> {
    let of_power = |power: i32| DIGITS.map(|digit| format!("{digit}e{power}"));
    // From its text a decimal number is the nearest one; a product of powers may miss it.
    (-9..=12).flat_map(of_power).filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_the_marks_around_its_values() {
        let axis = Axis::of([0.3, 40.0].into_iter(), (0.0, 100.0));
        let marks: Vec<f64> = axis.ticks().into_iter().map(|(mark, _)| mark).collect();
        assert_eq!(marks, [0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
        assert!(axis.place(0.2).abs() < 1e-9 && (axis.place(50.0) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn equal_steps_are_equal_factors() {
        let axis = Axis::of([1.0, 1e6].into_iter(), (600.0, 0.0));
        assert!((axis.place(1e3) - 300.0).abs() < 1e-9);
        let marks: Vec<f64> = axis.ticks().into_iter().map(|(mark, _)| mark).collect();
        assert_eq!(marks, [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6]);
    }

    #[test]
    fn one_value_and_none_have_an_axis_too() {
        for values in [vec![], vec![5.0]] {
            let axis = Axis::of(values.into_iter(), (0.0, 10.0));
            assert!(axis.place(5.0).is_finite(), "{axis:?}");
            assert!(axis.ticks().len() > 1, "{axis:?}");
        }
    }
}
