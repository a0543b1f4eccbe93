//! Rust source as the rules see it: comments and texts blanked out, test items blanked out.
//!
//! Input:    the text of one file.
//! Output:   text of the same length in lines and columns, so that positions stay true.
//! Not done: macros are not expanded.

/// Blanks comments and the contents of string and character literals.
pub(super) fn code_of(text: &str) -> String {
    let mut lexer = Lexer {
        chars: text.chars().collect(),
        at: 0,
        out: String::with_capacity(text.len()),
    };
    while lexer.at < lexer.chars.len() {
        lexer.step();
    }
    lexer.out
}

/// Blanks items marked `#[cfg(test)]`; takes what [`code_of`] gave.
pub(super) fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let (before, item) = rest.split_at(at);
        let (item, after) = item.split_at(item_len(item));
        out.push_str(before);
        out.extend(item.chars().map(blanked));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Length of the item that `code` begins with: to its closing brace, or its semicolon if that comes
/// before any brace.
fn item_len(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// The identifiers and keywords of code, each with its line number.
pub(super) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.lines().enumerate().flat_map(move |(index, line)| {
        line.split(move |c| !is_word(c))
            .filter(|word| !word.is_empty())
            .map(move |word| (index + 1, word))
    })
}

fn blanked(c: char) -> char {
    if c == '\n' { '\n' } else { ' ' }
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    out: String,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn keep(&mut self, count: usize) {
        for _ in 0..count {
            self.out.extend(self.chars.get(self.at));
            self.at += 1;
        }
    }

    fn blank(&mut self, count: usize) {
        for _ in 0..count {
            self.out
                .extend(self.chars.get(self.at).map(|c| blanked(*c)));
            self.at += 1;
        }
    }

    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => self.blank_while(|lexer| lexer.peek(0) != '\n'),
            ('/', '*') => self.block_comment(),
            ('"', _) => self.text(),
            ('r', '"' | '#') if !self.in_word() => self.raw_text(),
            ('\'', _) => self.quote(),
            _ => self.keep(1),
        }
    }

    /// Whether the character before belongs to an identifier; a `b` before `r"` is a prefix.
    fn in_word(&self) -> bool {
        let mut before = self.chars[..self.at].iter().rev();
        match before.next() {
            Some('b' | 'c') => before
                .next()
                .is_some_and(|c| c.is_alphanumeric() || *c == '_'),
            Some(c) => c.is_alphanumeric() || *c == '_',
            None => false,
        }
    }

    fn blank_while(&mut self, go_on: impl Fn(&Self) -> bool) {
        while self.at < self.chars.len() && go_on(self) {
            self.blank(1);
        }
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => {
                    depth += 1;
                    self.blank(2);
                }
                ('*', '/') => {
                    depth -= 1;
                    self.blank(2);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.blank(1),
            }
        }
    }

    fn text(&mut self) {
        self.keep(1);
        while self.at < self.chars.len() && self.peek(0) != '"' {
            let escape = self.peek(0) == '\\';
            self.blank(if escape { 2 } else { 1 });
        }
        self.keep(1);
    }

    /// `r#"…"#` with any number of marks; a raw identifier (`r#type`) is left alone.
    fn raw_text(&mut self) {
        let marks = (1..).take_while(|ahead| self.peek(*ahead) == '#').count();
        if self.peek(marks + 1) != '"' {
            return self.keep(1 + marks);
        }
        self.keep(marks + 2);
        let closes = |lexer: &Self| {
            lexer.peek(0) == '"' && (1..=marks).all(|ahead| lexer.peek(ahead) == '#')
        };
        self.blank_while(|lexer| !closes(lexer));
        self.keep(marks + 1);
    }

    /// A character literal, or a lifetime.
    fn quote(&mut self) {
        let literal = self.peek(1) == '\\' || self.peek(2) == '\'';
        self.keep(1);
        if literal {
            let escape = self.peek(0) == '\\';
            self.blank(if escape { 2 } else { 1 });
            self.blank_while(|lexer| lexer.peek(0) != '\'');
            self.keep(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Comments and texts vanish, code and positions stay.
    #[test]
    fn blanks_what_is_not_code() {
        let text = "let a = \"unsafe \\\" {\"; // unsafe\n/* x /* y */ z */ b('{', '\\'', 'c')";
        let code = code_of(text);
        assert_eq!(code.chars().count(), text.chars().count());
        assert!(!code.contains("unsafe") && !code.contains('{') && !code.contains('z'));
        assert!(code.ends_with("b(' ', '  ', ' ')"), "{code}");
        assert_eq!(
            code_of("r#\"a\"b\"# r\"c\" br\"d\" r#type x"),
            "r#\"   \"# r\" \" br\" \" r#type x"
        );
        assert_eq!(code_of("fn f<'a>(x: &'a str)"), "fn f<'a>(x: &'a str)");
    }

    #[test]
    fn blanks_test_items() {
        let code = "use a;\n#[cfg(test)]\nmod tests {\n fn f() { x }\n}\nuse b;\n#[cfg(test)]\nmod more;\nuse c;";
        let rest = without_tests(code);
        assert_eq!(rest.lines().count(), code.lines().count());
        let words: Vec<&str> = words(&rest).map(|(_, word)| word).collect();
        assert_eq!(words, ["use", "a", "use", "b", "use", "c"]);
    }
}
