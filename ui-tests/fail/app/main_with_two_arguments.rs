use tenancy::prelude::*;

#[tenancy::app(isolation = "rls")]
async fn main(app: App, listen: String) -> Result<()> {
    let _ = listen;
    app.serve().await
}
