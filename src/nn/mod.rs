//! Sample networks, run by the engine itself, so that a change of weights is seen as a change of accuracy.
