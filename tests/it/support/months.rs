//! Months, counted without the code that is tested.

use didww_types::Timestamp;

/// The same time a month later, on the last day of the month if it has no such day.
pub fn month_after(at: Timestamp) -> Timestamp {
    let text = at.to_string();
    let number = |from: usize, to: usize| text[from..to].parse::<u32>().unwrap();
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let on = |day: u32| format!("{year:04}-{month:02}-{day:02}{}", &text[10..]).parse().ok();
    (1..=day).rev().find_map(on).unwrap()
}
