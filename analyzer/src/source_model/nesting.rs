//! How deep a source text can nest, found without recursion, before a recursive parser sees it.
//!
//! The bound counts tokens: each one makes a parser go at most one level deeper, and what ends a statement or a
//! list element takes back what came since. It is never too small and mostly far too large, which does no
//! harm: sources of people stay far below [`DEEPEST`].

/// Deeper texts are refused. The stacks of the threads that parse are made for this depth.
pub const DEEPEST: usize = 6000;

/// One pair of brackets that is open.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Tokens since the last `;` or `,`.
    tokens: usize,
    /// `<` since the last `;`.
    angles: usize,
}

/// Upper bound of the depth to which `text` nests.
#[must_use]
pub fn bound(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut levels = vec![Level::default()];
    let (mut depth, mut deepest, mut at) = (0_usize, 0_usize, 0_usize);
    while at < bytes.len() {
        let (byte, next) = (bytes[at], skip(bytes, at));
        let level = levels.last_mut().expect("the outermost level stays");
        match byte {
            _ if byte.is_ascii_whitespace() || is_comment(bytes, at) => {}
            b'(' | b'[' | b'{' => {
                level.tokens += 1;
                depth += 1;
                levels.push(Level::default());
            }
            b')' | b']' | b'}' => {
                depth -= level.tokens + level.angles;
                if levels.len() > 1 {
                    levels.pop();
                } else {
                    levels[0] = Level::default();
                }
                if byte == b'}' && ends_statement(bytes, next) {
                    let level = levels.last_mut().expect("the outermost level stays");
                    depth -= level.tokens + level.angles;
                    *level = Level::default();
                }
            }
            b';' => {
                depth -= level.tokens + level.angles;
                *level = Level::default();
            }
            b',' => {
                depth -= level.tokens;
                level.tokens = 0;
            }
            b'<' => {
                level.angles += 1;
                depth += 1;
            }
            _ => {
                level.tokens += 1;
                depth += 1;
            }
        }
        deepest = deepest.max(depth);
        at = next;
    }
    deepest
}

fn is_comment(bytes: &[u8], at: usize) -> bool {
    bytes[at] == b'/' && matches!(bytes.get(at + 1), Some(b'/' | b'*'))
}

/// Whether nothing that follows a `}` can go on with the same expression.
fn ends_statement(bytes: &[u8], mut at: usize) -> bool {
    while at < bytes.len() && (bytes[at].is_ascii_whitespace() || is_comment(bytes, at)) {
        at = skip(bytes, at);
    }
    let rest = &bytes[at.min(bytes.len())..];
    let goes_on = [&b"else"[..], b"as "].iter().any(|word| rest.starts_with(word));
    rest.first().is_none_or(|&byte| byte.is_ascii_alphabetic() || byte == b'#' || byte == b'/') && !goes_on
}

/// Where the token, comment or literal at `at` ends.
fn skip(bytes: &[u8], at: usize) -> usize {
    let find = |from: usize, end: &dyn Fn(u8) -> bool| {
        bytes[from.min(bytes.len())..].iter().position(|&byte| end(byte)).map_or(bytes.len(), |n| from + n)
    };
    match bytes[at] {
        b'/' if bytes.get(at + 1) == Some(&b'/') => find(at, &|byte| byte == b'\n'),
        b'/' if bytes.get(at + 1) == Some(&b'*') => block_comment(bytes, at),
        b'"' => string(bytes, at),
        b'r' | b'b' | b'c' if raw_string(bytes, at).is_some() => raw_string(bytes, at).expect("just seen"),
        b'\'' => character(bytes, at),
        byte if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 => {
            find(at, &|byte| !(byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80))
        }
        _ => at + 1,
    }
}

fn block_comment(bytes: &[u8], mut at: usize) -> usize {
    let mut open = 0_usize;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => (open, at) = (open + 1, at + 2),
            (b'*', Some(b'/')) => (open, at) = (open - 1, at + 2),
            _ => at += 1,
        }
        if open == 0 {
            return at;
        }
    }
    at
}

fn string(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// End of the raw string that begins here, if one does: `r"…"`, `br#"…"#`.
fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let prefix = bytes[at..].iter().take_while(|byte| matches!(byte, b'r' | b'b' | b'c')).count();
    let hashes = bytes[at + prefix..].iter().take_while(|&&byte| byte == b'#').count();
    let open = at + prefix + hashes;
    if prefix > 2 || bytes.get(open) != Some(&b'"') || !bytes[at..at + prefix].contains(&b'r') {
        return None;
    }
    let mut close = open + 1;
    while close < bytes.len() {
        let rest = &bytes[close + 1..];
        if bytes[close] == b'"' && rest.len() >= hashes && rest[..hashes].iter().all(|&byte| byte == b'#') {
            return Some(close + 1 + hashes);
        }
        close += 1;
    }
    Some(bytes.len())
}

/// End of a character literal; of a lifetime's quote alone.
fn character(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at + 1) {
        Some(b'\\') => {
            let end = bytes[at + 2..].iter().skip(1).take(10).position(|&byte| byte == b'\'');
            end.map_or(at + 1, |end| at + 4 + end)
        }
        Some(_) => {
            let end = (2..=5).find(|&end| bytes.get(at + end) == Some(&b'\''));
            let is_lifetime = bytes[at + 1].is_ascii_alphabetic() && end != Some(2);
            end.filter(|_| !is_lifetime).map_or(at + 1, |end| at + end + 1)
        }
        None => at + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_stays_shallow_however_long_it_is() {
        let function = "fn f(a: u8) -> u8 { if a > 1 { g(a, \"}{(\"); } else { h('{', '\\'', r#\"{\"#) } }\n";
        assert!(bound(&function.repeat(10_000)) < 100);
        assert!(bound(&format!("static X: [u8; 9] = [{}];", "1, ".repeat(100_000))) < 100);
        assert!(bound(&"// {{{{ (((\n/* [[[ /* */ */\n".repeat(10_000)) < 10);
    }

    #[test]
    fn nesting_of_any_kind_is_counted() {
        for deep in ["(", "[", "{", "!", "&", "a.", "a + ", "if a {} else ", "Vec<", "|", "x = "] {
            assert!(bound(&deep.repeat(1000)) >= 1000, "{deep}");
        }
    }
}
