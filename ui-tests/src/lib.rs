//! What must not compile, with the message users get: `fail/<macro>/<mistake>.rs`
//! and beside it what the compiler says. `TRYBUILD=overwrite` writes the latter anew.
