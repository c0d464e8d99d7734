//! Times, and how they are told.

use std::time::{Duration, Instant};

/// How long `work` takes.
pub(crate) async fn time(work: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    work.await;
    start.elapsed()
}

/// The time below which `percent` of `times` are.
pub(crate) fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times.get(last * percent / 100).copied().unwrap_or_default()
}

/// A time with three digits.
pub(crate) fn shown(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..1e3 => format!("{micros:.0} µs"),
        ..1e4 => format!("{:.2} ms", micros / 1e3),
        ..1e6 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

/// What is measured in turns. Each round has one time for every case, in the
/// same order.
pub(crate) struct Comparison {
    title: String,
    /// Each case with the position of the one that it is compared with.
    cases: Vec<(String, usize)>,
    rounds: Vec<Vec<Duration>>,
}

impl Comparison {
    pub(crate) fn new(title: impl Into<String>, cases: &[(&str, usize)]) -> Self {
        let cases = cases.iter().map(|&(name, base)| (name.to_owned(), base));
        Self {
            title: title.into(),
            cases: cases.collect(),
            rounds: Vec::new(),
        }
    }

    pub(crate) fn round(&mut self, times: Vec<Duration>) {
        assert_eq!(times.len(), self.cases.len(), "a time for each case");
        self.rounds.push(times);
    }

    /// Prints medians; the ratio is the median of the rounds' ratios.
    pub(crate) fn print(&self) {
        println!("\n{} ({} rounds)", self.title, self.rounds.len());
        println!("  {:<48} {:>9} {:>9} {:>9}", "", "median", "p95", "times");
        for (case, (name, base)) in self.cases.iter().enumerate() {
            let times: Vec<_> = self.rounds.iter().map(|round| round[case]).collect();
            let ratios = self.rounds.iter();
            let ratios = ratios.map(|round| round[case].as_secs_f64() / round[*base].as_secs_f64());
            let mut ratios: Vec<f64> = ratios.collect();
            ratios.sort_unstable_by(f64::total_cmp);
            let ratio = ratios.get(ratios.len() / 2).copied().unwrap_or_default();
            println!(
                "  {name:<48} {:>9} {:>9} {ratio:>9.2}",
                shown(percentile(times.clone(), 50)),
                shown(percentile(times, 95)),
            );
        }
    }
}
