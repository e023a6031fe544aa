//! Dates without a library: Entra prints UTC to the second, Graph writes RFC 3339.

/// `2026-01-01 00:00:00Z`, as in Entra's errors.
pub(crate) fn stamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Seconds since 1970 of an RFC 3339 time in UTC; fractions are ignored.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let time = number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    if !text.ends_with('Z') || !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    Some((days(year, month).checked_add(day)? - 1) * 86_400 + time)
}

/// Days from 1970 to the first of the month.
fn days(year: u64, month: u64) -> u64 {
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30];
    let years: u64 = (1970..year).map(|year| 365 + u64::from(leap(year))).sum();
    years + lengths.iter().take(month as usize - 1).sum::<u64>()
}

fn civil(mut left: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let start = days(year, 1);
    let month = (1..=12).rev().find(|month| days(year, *month) - start <= left).unwrap_or(1);
    (year, month, left - (days(year, month) - start) + 1)
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_767_225_599, "2025-12-31 23:59:59Z"),
            (1_767_225_600, "2026-01-01 00:00:00Z"),
            (1_772_323_200, "2026-03-01 00:00:00Z"),
        ] {
            assert_eq!(stamp(seconds), text);
            assert_eq!(parse(&text.replace(' ', "T")), Some(seconds));
        }
        assert_eq!(parse("2026-13-01T00:00:00Z"), None);
        assert_eq!(parse("2026-01-01T00:00:00"), None);
        assert_eq!(parse("ü"), None);
    }
}
