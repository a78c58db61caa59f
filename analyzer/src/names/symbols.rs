//! Names of statics by address, from the symbol table of the executable.
//!
//! Known misses: stripped executables, statics of shared libraries, and statics that the linker
//! merged; they get no name here.

use object::{Object, ObjectSymbol, SymbolKind};

/// The statics of one executable, by address in the file.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// Start, size in bytes, name; sorted by start.
    statics: Vec<(u64, u64, String)>,
}

impl Symbols {
    /// Reads an executable; none if it is gone or not one.
    pub(super) fn read(executable: &str) -> Symbols {
        let Ok(bytes) = std::fs::read(executable) else { return Symbols::default() };
        let Ok(file) = object::File::parse(&*bytes) else { return Symbols::default() };
        let data = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Data);
        let named = data
            .filter_map(|symbol| Some((symbol.address(), symbol.size(), short_name(symbol.name().ok()?)?)));
        let mut statics: Vec<_> = named.collect();
        statics.sort();
        Symbols { statics }
    }

    /// The static that holds this address, and how far into it the address is.
    pub(super) fn at(&self, address: u64) -> Option<(&str, u64)> {
        let after = self.statics.partition_point(|(start, _, _)| *start <= address);
        let (start, size, name) = self.statics.get(after.checked_sub(1)?)?;
        (address - start < (*size).max(1)).then_some((name.as_str(), address - start))
    }
}

/// `bank::ACCOUNTS` as `ACCOUNTS`; nothing for what no source spells.
fn short_name(mangled: &str) -> Option<String> {
    let full = format!("{:#}", rustc_demangle::demangle(mangled));
    let last = full.rsplit("::").next()?;
    let spelled = last.chars().all(|c| c.is_alphanumeric() || c == '_') && !last.starts_with("__");
    (spelled && !last.is_empty()).then(|| last.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_inside_a_static_gives_its_name() {
        let symbols = Symbols { statics: vec![(16, 8, "A".to_owned()), (32, 0, "B".to_owned())] };
        assert_eq!(symbols.at(16), Some(("A", 0)));
        assert_eq!(symbols.at(23), Some(("A", 7)));
        assert_eq!(symbols.at(32), Some(("B", 0)));
        assert_eq!((symbols.at(15), symbols.at(24)), (None, None));
    }

    #[test]
    fn names_are_what_the_source_spells() {
        assert_eq!(short_name("_ZN4bank8ACCOUNTS17h0123456789abcdefE").as_deref(), Some("ACCOUNTS"));
        assert_eq!(short_name("ENVIRON").as_deref(), Some("ENVIRON"));
        assert_eq!(short_name("anon.0123.1"), None);
        assert_eq!(short_name("_ZN4bank28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE"), None);
    }

    #[test]
    fn this_very_executable_knows_its_statics() {
        static COUNTER_OF_NAMES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(7);
        let executable = std::env::current_exe().expect("there is one");
        let symbols = Symbols::read(&executable.to_string_lossy());
        std::hint::black_box(&COUNTER_OF_NAMES);
        assert!(symbols.statics.iter().any(|(_, _, name)| name == "COUNTER_OF_NAMES"));
        assert!(Symbols::read("/nowhere").statics.is_empty());
    }
}
