use tenancy::prelude::*;

#[tenancy::app(
    isolation = "hybrid", premium = "shema",
    resolver = "headr", header = "",
    seed("Acme"),
    colour = "red",
)]
fn main(first: App, second: App) {
    drop((first, second));
}
