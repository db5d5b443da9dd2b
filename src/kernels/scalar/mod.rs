//! The readable forms: these are the specification of every kernel.
