//! What was made last, to be used again: thousands of tensors of a model are packed in a few ways.

use std::cell::RefCell;
use std::rc::Rc;

use crate::error::Result;

/// How many are kept.
const KEPT: usize = 16;

/// The things made last, each beside what it was made from.
pub(crate) struct Recent<K, V: ?Sized>(RefCell<Vec<(K, Rc<V>)>>);

impl<K: PartialEq + Clone, V: ?Sized> Recent<K, V> {
    /// None yet.
    pub const fn new() -> Recent<K, V> {
        Recent(RefCell::new(Vec::new()))
    }

    /// The one made from an equal key, or made now.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get(&self, key: &K, make: impl FnOnce() -> Result<Rc<V>>) -> Result<Rc<V>> {
        if let Some((_, made)) = self.0.borrow().iter().find(|(known, _)| known == key) {
            return Ok(made.clone());
        }
        let made = make()?;
        let mut all = self.0.borrow_mut();
        if all.len() == KEPT {
            all.remove(0);
        }
        all.push((key.clone(), made.clone()));
        Ok(made)
    }
}
