//! What an application expands to, and what is said about each mistake.

mod expansions;
mod mistakes;
