mod posts {
    use tenancy::prelude::*;

    #[tenant_handler(post, "/posts", audit(action = "publish", resource = "post"))]
    pub async fn publish() {}

    #[tenant_handler(get, "/posts")]
    pub async fn list() {}
}

#[tenancy::app(membership = "gateway", routes(posts::publish, posts::list))]
async fn main() {}
