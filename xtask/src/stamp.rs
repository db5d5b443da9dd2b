//! Skipping a step whose inputs did not change: a hash of their contents, kept in a file beside the outputs.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A step's inputs, hashed (FNV-1a, 64 bits: it only has to notice changes).
pub struct Stamp {
    file: PathBuf,
    hash: u64,
}

impl Stamp {
    /// A stamp kept in `file`.
    pub fn new(file: PathBuf) -> Self {
        Self { file, hash: 0xcbf2_9ce4_8422_2325 }
    }

    /// Adds bytes: a version, an option.
    pub fn add(mut self, bytes: &[u8]) -> Self {
        for &byte in bytes.iter().chain(&(bytes.len() as u64).to_le_bytes()) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        self
    }

    /// Adds a file's content.
    pub fn add_file(self, file: &Path) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(self.add(&bytes))
    }

    /// Whether the step was done with these inputs.
    pub fn is_done(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|text| text == self.text())
    }

    /// Remembers that the step is done.
    pub fn done(&self) -> Result<()> {
        if let Some(dir) = self.file.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(&self.file, self.text()).with_context(|| format!("cannot write {}", self.file.display()))
    }

    fn text(&self) -> String {
        format!("{:016x}\n", self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_until_an_input_changes() {
        let file = std::env::temp_dir().join(format!("fewerbits-stamp-{}", std::process::id()));
        let stamp = |input: &[u8]| Stamp::new(file.clone()).add(b"v1").add(input);
        let _ = fs::remove_file(&file);
        assert!(!stamp(b"a").is_done());
        stamp(b"a").done().unwrap();
        assert!(stamp(b"a").is_done());
        assert!(!stamp(b"b").is_done());
        fs::remove_file(&file).unwrap();
    }

    #[test]
    fn where_one_input_ends_and_the_next_begins_matters() {
        let stamp = || Stamp::new(PathBuf::new());
        assert_ne!(stamp().add(b"ab").add(b"c").hash, stamp().add(b"a").add(b"bc").hash);
    }
}
