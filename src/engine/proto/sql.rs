//! What a statement of SQL does, by its first word; never with what values.
//!
//! Input:  the beginning of a statement. Comments and brackets before the first word are passed over.
//! Output: the word, if it is one of SQL's, and the name of a procedure that is called.
//! Bounds: what the caller hands over; a name of 128 bytes.

use crate::types::{Text, text};

/// Longest name of a procedure kept: identifiers have at most 128 characters.
const NAME_LEN_MAX: usize = 128;
/// First words of statements.
const VERBS: [&str; 75] = [
    "ABORT",
    "ALTER",
    "ANALYZE",
    "BACKUP",
    "BEGIN",
    "BULK",
    "CALL",
    "CHANGE",
    "CHECKPOINT",
    "CLOSE",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DBCC",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DENY",
    "DESC",
    "DESCRIBE",
    "DISCARD",
    "DO",
    "DROP",
    "END",
    "EXEC",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "FLUSH",
    "GRANT",
    "HANDLER",
    "IF",
    "IMPORT",
    "INSERT",
    "INSTALL",
    "KILL",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MERGE",
    "NOTIFY",
    "OPTIMIZE",
    "PREPARE",
    "PRINT",
    "PURGE",
    "RECONFIGURE",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RENAME",
    "REPAIR",
    "REPLACE",
    "RESET",
    "RESTORE",
    "REVERT",
    "REVOKE",
    "ROLLBACK",
    "SAVE",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "SHUTDOWN",
    "START",
    "STOP",
    "TRUNCATE",
    "UNINSTALL",
    "UNLOCK",
    "UPDATE",
    "USE",
    "VACUUM",
    "WAITFOR",
    "WITH",
];

/// What a statement does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its first word, in capitals.
    pub(super) verb: Option<&'static str>,
    /// The procedure it calls.
    pub(super) procedure: Option<Text>,
}

/// Reads the beginning of a statement.
pub(super) fn statement(start: &[u8]) -> Statement {
    let (word, rest) = word(blanks(start));
    let word = word.to_ascii_uppercase();
    let at = VERBS.binary_search_by(|known| known.as_bytes().cmp(&word));
    let verb = at.ok().and_then(|at| VERBS.get(at).copied());
    let procedure = match verb {
        Some("EXEC" | "EXECUTE" | "CALL") => procedure(rest),
        _ => None,
    };
    Statement { verb, procedure }
}

/// Behind blanks, comments, brackets and semicolons.
fn blanks(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [b'/', b'*', comment @ ..] => {
                let Some(end) = memchr::memmem::find(comment, b"*/") else {
                    return &[];
                };
                comment.get(end.saturating_add(2)..).unwrap_or_default()
            }
            [b'-', b'-', comment @ ..] => {
                let Some(end) = memchr::memchr(b'\n', comment) else {
                    return &[];
                };
                comment.get(end..).unwrap_or_default()
            }
            [b'(' | b';', rest @ ..] => rest,
            [first, rest @ ..] if first.is_ascii_whitespace() => rest,
            _ => return rest,
        };
    }
}

/// The letters at the beginning, and what follows them.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .count();
    text.split_at_checked(end).unwrap_or((text, &[]))
}

/// The name behind `EXEC`, `EXECUTE` or `CALL`; a text or a variable that is executed has none.
fn procedure(rest: &[u8]) -> Option<Text> {
    // `EXEC @result = name`.
    let rest = rest.trim_ascii_start();
    let rest = match rest.first() {
        Some(b'@') => {
            let (_variable, behind) = word(rest.get(1..)?);
            behind
                .trim_ascii_start()
                .strip_prefix(b"=")?
                .trim_ascii_start()
        }
        _ => rest,
    };
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.[]\"`#$".contains(byte);
    let name: Vec<u8> = rest
        .iter()
        .take_while(|byte| is_part(byte))
        .filter(|byte| !b"[]\"`".contains(byte))
        .take(NAME_LEN_MAX)
        .copied()
        .collect();
    (!name.is_empty()).then(|| text(&name, NAME_LEN_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str) -> (Option<&'static str>, Option<Text>) {
        let Statement { verb, procedure } = statement(text.as_bytes());
        (verb, procedure)
    }

    #[test]
    fn words_and_procedures() {
        assert!(VERBS.is_sorted());
        assert_eq!(says("select 'geheim'"), (Some("SELECT"), None));
        assert_eq!(
            says("  /* hint */ -- line\n (Update t"),
            (Some("UPDATE"), None)
        );
        let shell = Some("master..xp_cmdshell".into());
        assert_eq!(
            says("EXEC [master]..xp_cmdshell 'whoami'"),
            (Some("EXEC"), shell.clone())
        );
        assert_eq!(
            says("execute @r = master..xp_cmdshell 'dir'"),
            (Some("EXECUTE"), shell)
        );
        assert_eq!(
            says("call p.do_it(1)"),
            (Some("CALL"), Some("p.do_it".into()))
        );
        // What is executed is a text, a variable.
        assert_eq!(says("EXEC('drop table t')"), (Some("EXEC"), None));
        assert_eq!(says("EXEC @text"), (Some("EXEC"), None));
        for none in [
            "",
            "selection",
            "/* never closed",
            "--",
            "12",
            "geheim",
            "\u{fc}",
        ] {
            assert_eq!(says(none), (None, None), "{none}");
        }
    }
}
