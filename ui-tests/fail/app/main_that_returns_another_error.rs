use tenancy::prelude::*;

#[tenancy::app(isolation = "rls")]
async fn main(app: App) -> Result<(), Box<dyn std::error::Error>> {
    app.serve().await?;
    Ok(())
}
