//! Benchmarks on a real PostgreSQL, run by `cargo xtask bench`.
//!
//! Times are printed beside their ratio to a baseline of the same run, the same
//! work by a plain connection, and nothing here fails for being slow: machines
//! are noisy. What is compared runs in turns, round by round, so that a busy
//! moment of the machine hits all alike. Benchmark libraries measure one case
//! after the other and know no ratios, so this is a program of its own.
//!
//! `cargo xtask bench -- NAME…` runs these parts only; `fleet` only runs by name.

mod fleet;
mod measure;
mod models;
mod provisioning;
mod reads;

#[tokio::main]
async fn main() {
    let args = std::env::args().skip(1);
    // cargo adds its own `--bench`.
    let parts: Vec<String> = args.filter(|arg| !arg.starts_with('-')).collect();
    let parts: Vec<&str> = match parts.as_slice() {
        [] => vec!["provisioning", "reads"],
        parts => parts.iter().map(String::as_str).collect(),
    };
    for part in parts {
        match part {
            "provisioning" => provisioning::run().await,
            "reads" => reads::run().await,
            "fleet" => fleet::run().await,
            fleet::PROCESS => fleet::process().await,
            other => panic!("no part `{other}`: there are provisioning, reads and fleet"),
        }
    }
}
