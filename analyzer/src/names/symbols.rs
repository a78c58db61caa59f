//! What an executable says of addresses: names of statics from its symbol table, places of code from
//! its debug information.
//!
//! Known misses: stripped executables, shared libraries, and statics that the linker merged.

use std::cell::OnceCell;
use std::fmt;

use addr2line::Loader;
use addr2line::fallible_iterator::FallibleIterator as _;
use object::{Object, ObjectSymbol, SymbolKind};
use snag_trace::Site;

/// One executable, by addresses in the file.
#[derive(Default)]
pub(super) struct Symbols {
    executable: String,
    /// Start, size in bytes, name; sorted by start.
    statics: OnceCell<Vec<(u64, u64, String)>>,
    code: OnceCell<Option<Loader>>,
}

/// A function that was being run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CodeFrame {
    /// Its path.
    pub function: String,
    /// Where in it.
    pub site: Option<Site>,
    /// Whether it was compiled into the next one.
    pub inlined: bool,
}

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbols").field("executable", &self.executable).finish_non_exhaustive()
    }
}

impl Symbols {
    /// The symbols of this executable, none if it is gone. Nothing is read yet.
    pub(super) fn of(executable: &str) -> Symbols {
        Symbols { executable: executable.to_owned(), ..Symbols::default() }
    }

    /// The static that holds this address, and how far into it the address is.
    pub(super) fn static_at(&self, address: u64) -> Option<(&str, u64)> {
        let statics = self.statics.get_or_init(|| read_statics(&self.executable).unwrap_or_default());
        let after = statics.partition_point(|(start, _, _)| *start <= address);
        let (start, size, name) = statics.get(after.checked_sub(1)?)?;
        (address - start < (*size).max(1)).then_some((name.as_str(), address - start))
    }

    /// The functions that were being run where a call returns to this address, innermost first: those
    /// that were compiled into another, and that one. Empty if nothing is known of the address.
    pub(super) fn frames_before(&self, address: u64) -> Vec<CodeFrame> {
        let Some(at) = address.checked_sub(1) else { return Vec::new() };
        let Some(code) = self.code() else { return Vec::new() };
        let symbol = || code.find_symbol(at).map(function_name);
        let frames = code.find_frames(at).ok().and_then(|frames| frames.collect::<Vec<_>>().ok());
        let mut found: Vec<CodeFrame> = (frames.into_iter().flatten())
            .filter_map(|frame| {
                let name = frame.function.as_ref().and_then(|name| name.raw_name().ok());
                let function = name.map(|name| function_name(&name)).or_else(symbol)?;
                Some(CodeFrame { function, site: frame.location.and_then(site_of), inlined: true })
            })
            .collect();
        if found.is_empty() {
            found.extend(symbol().map(|function| CodeFrame { function, site: None, inlined: false }));
        }
        if let Some(last) = found.last_mut() {
            last.inlined = false;
        }
        found
    }

    fn code(&self) -> Option<&Loader> {
        self.code.get_or_init(|| Loader::new(&self.executable).ok()).as_ref()
    }

    /// The place of the call that returns to this address: the innermost one outside of the standard
    /// library, if functions were inlined there.
    pub(super) fn call_before(&self, address: u64) -> Option<Site> {
        let frames = self.code()?.find_frames(address.checked_sub(1)?).ok()?;
        let places = frames.filter_map(|frame| Ok(frame.location.and_then(site_of)));
        let places: Vec<Site> = places.collect().ok()?;
        places.iter().find(|site| !site.file.starts_with("/rustc/")).or(places.first()).cloned()
    }
}

fn site_of(location: addr2line::Location<'_>) -> Option<Site> {
    let (file, line) = (location.file?.to_owned(), location.line?);
    Some(Site { file, line, column: location.column.unwrap_or(1).max(1) })
}

/// The path of a function as the source spells it, as far as a symbol tells.
fn function_name(symbol: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(symbol)).replace("{{", "{").replace("}}", "}")
}

fn read_statics(executable: &str) -> Option<Vec<(u64, u64, String)>> {
    let bytes = std::fs::read(executable).ok()?;
    let file = object::File::parse(&*bytes).ok()?;
    let data = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Data);
    let mut statics: Vec<_> = data
        .filter_map(|symbol| Some((symbol.address(), symbol.size(), short_name(symbol.name().ok()?)?)))
        .collect();
    statics.sort();
    Some(statics)
}

/// `bank::ACCOUNTS` as `ACCOUNTS`; nothing for what no source spells.
fn short_name(mangled: &str) -> Option<String> {
    // The optimiser numbers the parts into which it takes a static.
    let is_rust = mangled.starts_with("_ZN") || mangled.starts_with("_R");
    let is_part = |c: char| c == '.' || c.is_ascii_digit();
    let whole = mangled.split_once("E.").filter(|(_, rest)| is_rust && rest.chars().all(is_part));
    let mangled = whole.map_or(mangled, |(name, _)| &mangled[..=name.len()]);
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
        let symbols = Symbols::default();
        let _ = symbols.statics.set(vec![(16, 8, "A".to_owned()), (32, 0, "B".to_owned())]);
        assert_eq!(symbols.static_at(16), Some(("A", 0)));
        assert_eq!(symbols.static_at(23), Some(("A", 7)));
        assert_eq!(symbols.static_at(32), Some(("B", 0)));
        assert_eq!((symbols.static_at(15), symbols.static_at(24)), (None, None));
    }

    #[test]
    fn names_are_what_the_source_spells() {
        assert_eq!(short_name("_ZN4bank8ACCOUNTS17h0123456789abcdefE").as_deref(), Some("ACCOUNTS"));
        assert_eq!(short_name("_ZN4bank8ACCOUNTS17h0123456789abcdefE.0.1").as_deref(), Some("ACCOUNTS"));
        assert_eq!(short_name("ENVIRON").as_deref(), Some("ENVIRON"));
        assert_eq!(short_name("anon.0123.1"), None);
        assert_eq!(short_name("_ZN4bank28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE"), None);
    }

    /// Where this executable is loaded.
    fn load_base() -> u64 {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("this is Linux");
        let executable = std::env::current_exe().expect("there is one");
        let first =
            maps.lines().find(|line| line.ends_with(&*executable.to_string_lossy())).expect("it is mapped");
        u64::from_str_radix(first.split('-').next().expect("a range"), 16).expect("an address")
    }

    static COUNTER_OF_NAMES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(7);

    #[inline(never)]
    fn function_with_a_place() -> u32 {
        std::hint::black_box(line!())
    }

    #[test]
    fn this_very_executable_knows_its_statics_and_its_lines() {
        let executable = std::env::current_exe().expect("there is one");
        let symbols = Symbols::of(&executable.to_string_lossy());
        let address = std::ptr::from_ref(&COUNTER_OF_NAMES) as u64 - load_base();
        assert_eq!(symbols.static_at(address), Some(("COUNTER_OF_NAMES", 0)));

        let code = function_with_a_place as fn() -> u32 as usize as u64 - load_base();
        let site = symbols.call_before(code + 2).expect("tests have debug information");
        assert!(site.file.ends_with("symbols.rs"), "{site:?}");
        assert!(function_with_a_place().abs_diff(site.line) <= 1, "{site:?}");
        let frames = symbols.frames_before(code + 2);
        let last = frames.last().expect("a function");
        assert!(last.function.ends_with("symbols::tests::function_with_a_place"), "{frames:?}");
        assert!(!last.inlined && frames.iter().any(|frame| frame.site.as_ref() == Some(&site)), "{frames:?}");
        assert_eq!((symbols.call_before(u64::MAX), symbols.frames_before(u64::MAX)), (None, Vec::new()));
        assert_eq!(
            (Symbols::of("/nowhere").static_at(1), Symbols::of("/nowhere").call_before(1)),
            (None, None)
        );
    }
}
