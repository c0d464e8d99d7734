//! Whose pages may open a socket: a browser sends the cookies of this host along,
//! whichever page it is.

use integration::database::Database;
use integration::http::Served;

use super::{A, Client, app};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_host_opens_no_socket() {
    let database = Database::empty().await;
    let served = Served::start(app(), &database, &[]).await;
    let address = served.site.address;
    let own = format!("http://{address}");
    for (path, origin, status) in [
        ("/live", None, None),
        ("/live", Some(&*own), None),
        ("/live", Some("http://127.0.0.1:5173"), None),
        ("/live", Some("https://evil.example"), Some(403)),
        ("/live", Some("null"), Some(403)),
        ("/live", Some("https://127.0.0.1.evil.example"), Some(403)),
        ("/live", Some("https://front.example"), Some(403)),
        // The twin: where it is let in, the same page gets what there is.
        ("/strict", Some("https://front.example"), None),
        ("/strict", Some("https://evil.example"), Some(403)),
    ] {
        let opened = Client::try_open(address, A, path, origin).await;
        assert_eq!(opened.err(), status, "{path} {origin:?}");
    }
    let client = reqwest::Client::new().get(format!("http://{address}/live"));
    let client = client.header("x-tenant-id", A);
    assert_eq!(client.send().await.expect("an answer").status(), 422);
    // Nobody comes in without a tenant.
    let nobody = Client::try_open(address, "nobody", "/live", None).await;
    assert_eq!(nobody.err(), Some(400));
}
