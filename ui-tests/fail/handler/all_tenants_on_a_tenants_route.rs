use tenancy::prelude::*;

#[tenant_handler(get, "/all")]
async fn all(_system: SystemAccess) {}

#[tenant_handler(get, "/some", tenant = "optional")]
async fn some(_system: Option<SystemAccess>) {}

#[tenant_handler(post, "/sign-up")]
async fn sign_up(_provisioner: Provisioner) {}

#[tenant_handler(get, "/operators", tenant = "none")]
async fn operators(_system: SystemAccess, _provisioner: Provisioner) {}

fn main() {}
