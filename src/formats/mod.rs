//! File headers: which bytes hold which tensor. Parsers are handed bytes and never read; no numbers are computed.
