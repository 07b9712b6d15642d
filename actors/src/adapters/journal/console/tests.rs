//! What is read back, from a journal with every kind of row.
