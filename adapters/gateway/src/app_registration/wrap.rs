//! Words over lines, for comments and reports.

const COLUMNS: usize = 80;

/// Lines of at most 80 columns, each with this prefix; a longer word has a line of its own.
pub(super) fn wrapped(text: &str, prefix: &str) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length <= COLUMNS {
            lines.push(' ');
            column += 1;
        } else {
            if column > 0 {
                lines.push('\n');
            }
            lines.push_str(prefix);
            column = prefix.chars().count();
        }
        lines.push_str(word);
        column += length;
    }
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_unless_a_word_is() {
        let text = "a ".repeat(100) + &"b".repeat(90) + " c";
        let lines: Vec<String> = wrapped(&text, "# ").lines().map(str::to_owned).collect();
        assert!(lines.iter().all(|line| line.starts_with("# ")));
        let long: Vec<_> = lines.iter().filter(|line| line.len() > COLUMNS).collect();
        assert_eq!(long, [&format!("# {}", "b".repeat(90))]);
        let words: Vec<_> = lines.iter().flat_map(|line| line.split(' ').skip(1)).collect();
        assert_eq!(words.join(" "), text);
    }
}
