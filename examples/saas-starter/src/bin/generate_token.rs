//! Makes a token for a tenant, as a login service does once it knows who somebody
//! is: `generate_token acme-corp [ada]`, good for an hour.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use jsonwebtoken::{EncodingKey, Header};
use saas_starter::{AUDIENCE, DEVELOPMENT_SECRET, ISSUER};
use serde_json::json;

const HOUR: u64 = 60 * 60;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let (tenant, user) = match &words[..] {
        [tenant] => (tenant.as_str(), "ada"),
        [tenant, user] => (tenant.as_str(), user.as_str()),
        _ => {
            eprintln!("Usage: generate_token TENANT [USER]");
            return ExitCode::from(2);
        }
    };
    match token(tenant, user) {
        Ok(token) => {
            println!("{token}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn token(tenant: &str, user: &str) -> Result<String, Box<dyn Error>> {
    let secret = env::var("TENANCY_JWT_SECRET").ok();
    let secret = secret
        .as_deref()
        .or(DEVELOPMENT_SECRET)
        .ok_or("set TENANCY_JWT_SECRET to the secret of the application")?;
    let claims = json!({
        "tenant_id": tenant,
        "sub": user,
        "aud": AUDIENCE,
        "iss": ISSUER,
        "exp": jsonwebtoken::get_current_timestamp() + HOUR,
    });
    let key = EncodingKey::from_secret(secret.as_bytes());
    Ok(jsonwebtoken::encode(&Header::default(), &claims, &key)?)
}
