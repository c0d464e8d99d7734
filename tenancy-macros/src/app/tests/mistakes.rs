use proc_macro2::TokenStream;
use quote::quote;

use crate::common::testing;

use super::super::app;

/// The mistakes of an attribute on a `main` that is right.
fn of(attribute: TokenStream) -> Vec<String> {
    let item = quote!(
        async fn main() {}
    );
    let expansion = app(attribute, item);
    testing::mistakes(expansion)
}

/// The mistakes of a function under an attribute that is right.
fn of_main(item: TokenStream) -> Vec<String> {
    testing::mistakes(app(quote!(isolation = "rls"), item))
}

const OPTIONS: &str = "`isolation`, `premium`, `standard`, `premium_tenants`, `premium_plans`, \
                       `database_url_template`, `resolver`, `header`, `suffix`, `custom_domains`, \
                       `prefix`, `claim`, `audience`, `issuer`, `algorithm`, \
                       `membership`, `plans`, `settings`, `audit`, `admin`, `embedded`, `models`, `migrations`, `routes`, `openapi` or `seed`";

#[test]
fn unknown_words() {
    assert_eq!(
        of(quote!(theme = "dark")),
        [format!("unknown option `theme` (expected {OPTIONS})")]
    );
    assert_eq!(
        of(quote!(isolation = "hybird")),
        [
            "unknown isolation `hybird`; did you mean `hybrid`? (expected `rls`, `schema`, \
             `database` or `hybrid`)"
        ]
    );
    assert_eq!(
        of(quote!(
            isolation = "hybrid",
            premium = "shema",
            standard = "tables"
        )),
        [
            "unknown strategy `shema`; did you mean `schema`? (expected `rls`, `schema` or `database`)",
            "unknown strategy `tables` (expected `rls`, `schema` or `database`)",
        ]
    );
    assert_eq!(
        of(quote!(resolver = "headers")),
        [
            "unknown resolver `headers`; did you mean `header`? (expected `header`, `subdomain`, `path` \
             or `jwt`)"
        ]
    );
    assert_eq!(
        of(quote!(resolver = "path", membership = "gatway")),
        ["unknown membership `gatway`; did you mean `gateway`? (expected `gateway`)"]
    );
    assert_eq!(
        of(quote!(audit = "logs")),
        ["unknown trail `logs`; did you mean `log`? (expected `database` or `log`)"]
    );
    assert_eq!(
        of(quote!(admin = "opne")),
        ["unknown guard `opne`; did you mean `open`? (expected `token` or `open`)"]
    );
    assert_eq!(
        of(quote!(openapi = "pubic")),
        [
            "unknown reader of the description `pubic`; did you mean `public`? (expected \
             `public`)"
        ]
    );
}

#[test]
fn a_misspelt_option_is_not_missing_as_well() {
    assert_eq!(
        of(quote!(isolaton = "rls", models(Todo))),
        [format!(
            "unknown option `isolaton`; did you mean `isolation`? (expected {OPTIONS})"
        )]
    );
    assert_eq!(
        of(quote!(
            isolation = "hybrid",
            premum = "schema",
            standard = "rls"
        )),
        [format!(
            "unknown option `premum`; did you mean `premium`? (expected {OPTIONS})"
        )]
    );
}

#[test]
fn options_in_the_wrong_shape() {
    assert_eq!(
        of(quote!(
            isolation = rls,
            premium("schema"),
            resolver,
            models = "Todo",
            seed(acme - corp),
            routes("list"),
            "header"
        )),
        [
            "write it as `isolation = \"rls\"`",
            "write it as `premium = \"schema\"`",
            "write it as `resolver = \"header\"`",
            "write it as `models(Todo, crate::plans::Plan)`",
            "write it as `seed(\"acme-corp\", \"globex\")`",
            "write it as `routes(list, todos::create)`",
            "expected an option, such as `isolation = \"rls\"`",
        ]
    );
    assert_eq!(
        of(quote!(isolation = "rls", isolation = "schema")),
        ["`isolation` is given twice"]
    );
    assert_eq!(
        of(quote!(seed("acme"), seed("globex"))),
        ["`seed` is given twice; give all its values in one place"]
    );
}

#[test]
fn hybrid_and_its_tiers() {
    assert_eq!(
        of(quote!(isolation = "hybrid")),
        [
            "`isolation = \"hybrid\"` needs `premium = \"schema\"`",
            "`isolation = \"hybrid\"` needs `standard = \"rls\"`",
        ]
    );
    assert_eq!(
        of(quote!(
            isolation = "hybrid",
            premium = "rls",
            standard = "rls"
        )),
        [
            "`premium` and `standard` are both \"rls\": choose another, or write \
             `isolation = \"rls\"` for everyone"
        ]
    );
    for isolation in [quote!(isolation = "rls",), quote!()] {
        assert_eq!(
            of(quote!(#isolation premium = "schema", premium_plans("enterprise"))),
            [
                "`premium` applies only to `isolation = \"hybrid\"`: choose that, or drop \
                 `premium`",
                "`premium_plans` applies only to `isolation = \"hybrid\"`: choose that, or drop \
                 `premium_plans`",
            ]
        );
    }
    assert_eq!(
        of(quote!(
            isolation = "hybrid",
            premium = "schema",
            standard = "rls",
            premium_tenants(),
            premium_plans("")
        )),
        [
            "a plan has a name, such as \"enterprise\"",
            "`premium_tenants` names nobody: write `premium_tenants(\"acme-corp\")` or drop it",
        ]
    );
}

#[test]
fn headers() {
    for name in ["", "X Tenant", "X-Tenant:", "Mandant-Köln"] {
        assert_eq!(
            of(quote!(header = #name)),
            ["a header's name has letters, digits and `-`: write `header = \"X-Tenant-ID\"`"]
        );
    }
    assert_eq!(of(quote!(header = "x_tenant.id")), [""; 0]);
}

#[test]
fn suffixes_and_prefixes() {
    for suffix in [
        "",
        ".",
        "my app.com",
        ".a..b",
        ".-a.com",
        ".köln.de",
        "10.0.0.1",
    ] {
        assert_eq!(
            of(quote!(suffix = #suffix)),
            ["the suffix is a domain, in ASCII (`xn--…`): write `suffix = \".myapp.com\"`"]
        );
    }
    for prefix in ["", "/", "t", "/t/", "/{t}", "/../t"] {
        assert_eq!(
            of(quote!(prefix = #prefix)),
            ["the prefix begins with `/` and ends without one: write `prefix = \"/t\"`"]
        );
    }
    assert_eq!(of(quote!(suffix = "localhost.local")), [""; 0]);
    assert_eq!(of(quote!(prefix = "/api/tenants")), [""; 0]);
}

#[test]
fn resolvers_and_their_options() {
    let only = |option: &str, resolver: &str| {
        format!(
            "`{option}` applies only to `resolver = \"{resolver}\"`: choose that, or drop `{option}`"
        )
    };
    assert_eq!(
        of(quote!(
            resolver = "header",
            prefix = "/t",
            suffix = ".a.com",
            membership = Users
        )),
        [only("suffix", "subdomain"), only("prefix", "path")]
    );
    assert_eq!(
        of(quote!(header = "X-A", prefix = "/t")),
        [only("prefix", "path")]
    );
    assert_eq!(
        of(quote!(
            resolver("subdomain", "header"),
            membership = "gateway"
        )),
        ["`resolver = \"subdomain\"` needs `suffix = \".myapp.com\"`"]
    );
    assert_eq!(
        of(quote!(
            resolver = "header",
            custom_domains,
            membership = "gateway"
        )),
        [
            only("custom_domains", "subdomain"),
            "`custom_domains` needs a database: add `isolation = …` (`rls`, `schema`, `database` \
             or `hybrid`)"
                .to_owned()
        ]
    );
    assert_eq!(
        of(quote!(isolation = "rls", custom_domains)),
        ["`custom_domains` needs `resolver = \"subdomain\"` and `suffix = \".myapp.com\"`"]
    );
    assert_eq!(
        of(quote!(
            isolation = "rls",
            suffix = ".a.com",
            custom_domains = "all"
        )),
        ["write it as `custom_domains`"]
    );
    assert_eq!(
        of(quote!(resolver("path", "path"), membership = "gateway")),
        ["this resolver is named twice; once is enough"]
    );
    assert_eq!(
        of(quote!(resolver())),
        ["`resolver` names none: write `resolver = \"header\"` or drop it"]
    );
    assert_eq!(of(quote!(resolver = own::ByKey)), [""; 0]);
}

#[test]
fn tokens_and_their_options() {
    let jwt = quote!(
        resolver = "jwt",
        claim = "org",
        audience = "any",
        issuer = "https://login.myapp.com",
        algorithm = "EdDSA"
    );
    assert_eq!(of(jwt), [""; 0]);
    assert_eq!(of(quote!(claim = "org", audience = "api")), [""; 0]);
    assert_eq!(of(quote!(resolver("jwt", "header"))), [""; 0]);
    assert_eq!(
        of(quote!(
            resolver = "path",
            membership = "gateway",
            audience = "api"
        )),
        ["`audience` applies only to `resolver = \"jwt\"`: choose that, or drop `audience`"]
    );
    for (word, said) in [
        ("HS265", "unknown algorithm `HS265`; did you mean `HS256`?"),
        ("rs256", "unknown algorithm `rs256`; did you mean `RS256`?"),
        ("ES512", "unknown algorithm `ES512`"),
        ("none", "a token without a signature proves nothing"),
        ("nOnE", "a token without a signature proves nothing"),
    ] {
        let found = of(quote!(resolver = "jwt", algorithm = #word));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(said), "{found:?}");
    }
    let empty = of(quote!(
        resolver = "jwt",
        claim = "",
        audience = " ",
        issuer = ""
    ));
    assert_eq!(empty.len(), 3, "{empty:?}");
    assert_eq!(
        of(quote!(resolver = "jwt", secret = "hunter2")),
        [
            "a key does not stand in the source: set `TENANCY_JWT_SECRET` in the environment, and \
             drop `secret`"
        ]
    );
}

/// The texts on which the runtime's own reading of claims is tried.
const CLAIMS: &[(&str, &[&str])] =
    &include!("../../../../tenancy-runtime/src/resolve/jwt/claim_texts.rs");

#[test]
fn a_claim_is_what_it_is_for_the_runtime() {
    for (claim, names) in CLAIMS {
        let found = of(quote!(
            resolver = "jwt",
            audience = "api",
            issuer = "any",
            claim = #claim
        ));
        let mistakes = usize::from(names.is_empty());
        assert_eq!(found.len(), mistakes, "{claim:?}: {found:?}");
        if claim.starts_with('/') && names.is_empty() {
            assert!(found[0].contains("\"/app_metadata/tenant\""), "{found:?}");
        }
    }
}

#[test]
fn somebody_decides_who_may_act_for_a_tenant() {
    let nobody = "with this anybody can name any tenant: add `membership = MyMembership`, which \
                  decides who may act for one, or `membership = \"gateway\"` if only a gateway that \
                  has decided it reaches the application";
    assert_eq!(of(quote!(resolver = "header")), [nobody]);
    assert_eq!(of(quote!(resolver("path", "header"))), [nobody]);
    // Whom those add who take the application is seen at start.
    let serves = quote!(
        async fn main(app: App) -> Result<()> {}
    );
    assert_eq!(
        testing::mistakes(app(quote!(resolver = "header"), serves)),
        [""; 0]
    );
}

#[test]
fn databases() {
    let needs = |name| {
        format!(
            "`{name}` needs a database: add `isolation = …` (`rls`, `schema`, `database` or `hybrid`)"
        )
    };
    assert_eq!(
        of(quote!(embedded = "temporary", models(Todo))),
        [needs("embedded"), needs("models")]
    );
    assert_eq!(
        of(quote!(audit = "database")),
        [
            "a trail in the database needs one: add `isolation = …` (`rls`, `schema`, `database` \
             or `hybrid`)"
        ]
    );
    assert_eq!(
        of(quote!(isolation = "rls", embedded = "")),
        ["name the folder to keep the database in, or write `embedded = \"temporary\"`"]
    );
    assert_eq!(
        of(quote!(isolation = "rls", embedded = "temporry")),
        [
            "`temporry` is no folder; did you mean `temporary`? (write a folder as a path, \
             `embedded = \"./temporry\"`)"
        ]
    );
    for folder in ["./data", "/var/lib/shop", ".tenancy", "a/b"] {
        assert_eq!(of(quote!(isolation = "rls", embedded = #folder)), [""; 0]);
    }
}

#[test]
fn lists() {
    let slug = "a tenant's name has 3 to 63 characters of a-z, 0-9 and `-`, with a letter or \
                digit at both ends";
    let long = "a".repeat(64);
    assert_eq!(
        of(quote!(seed("ab", "-globex", "globex-", "Acme", "acme corp", #long, "0-0"))),
        [slug; 6]
    );
    assert_eq!(
        of(quote!(seed("acme", "globex", "acme"))),
        ["`\"acme\"` is in `seed(…)` twice; once is enough"]
    );
    assert_eq!(
        of(quote!(
            isolation = "rls",
            models(Todo, todos::Todo, Todo),
            routes(todos::list, todos::list)
        )),
        [
            "`Todo` is in `models(…)` twice; once is enough",
            "`todos::list` is in `routes(…)` twice; once is enough",
        ]
    );
}

#[test]
fn functions_that_are_no_main() {
    assert_eq!(
        of_main(quote!(
            struct App;
        )),
        ["`#[tenancy::app]` goes on `async fn main`"]
    );
    assert_eq!(
        of_main(quote!(
            async fn serve() {}
        )),
        ["`#[tenancy::app]` is where the program starts: put it on `async fn main`"]
    );
    assert_eq!(
        of_main(quote!(
            fn main() {}
        )),
        ["`main` is asynchronous: write `async fn main`"]
    );
    assert_eq!(
        of_main(quote!(
            async fn main<T>() {}
        )),
        ["`main` has no generics"]
    );
    assert_eq!(
        of_main(quote!(
            async fn main(app: App, listen: String) {}
        )),
        ["`main` takes the application or nothing: write `async fn main(app: App)`"]
    );
    assert_eq!(
        of_main(quote!(
            async fn main(&self) {}
        )),
        ["`main` is a free function: write `async fn main(app: App)`"]
    );
    assert_eq!(
        of_main(quote!(
            #[tokio::main]
            async fn main() {}
        )),
        ["`#[tenancy::app]` starts the asynchronous runtime: drop this attribute"]
    );
    assert_eq!(
        of_main(quote!(
            async fn main() -> impl Sized {}
        )),
        ["`main` returns nothing or `Result<()>`"]
    );
}

#[test]
fn all_are_reported_at_once() {
    let mistakes = testing::mistakes(app(
        quote!(
            isolation = "hybrid",
            premium = "shema",
            resolver = "headr",
            header = "",
            seed("Acme"),
            colour = "red"
        ),
        quote!(
            fn main(first: App, second: App) {}
        ),
    ));
    assert_eq!(mistakes.len(), 8, "{mistakes:#?}");
}

/// Whoever looks for an option finds it in the table.
#[test]
fn every_option_is_documented() {
    let page = include_str!("../../../../tenancy/docs/app.md");
    for (option, _) in crate::app::attr::OPTIONS.all {
        let row = page.lines().find(|line| {
            let first = line.split(" | ").next().unwrap_or_default();
            first.starts_with("| `") && first.contains(&format!("`{option}"))
        });
        assert!(row.is_some(), "`{option}` is missing in the table");
    }
}
