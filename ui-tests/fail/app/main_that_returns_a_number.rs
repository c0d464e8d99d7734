use tenancy::prelude::*;

#[tenancy::app(isolation = "rls")]
async fn main(_app: App) -> i32 {
    0
}
