//! An application as the attribute describes it, once every rule holds.

use proc_macro2::Span;
use syn::{LitStr, Path};

/// What `expand` writes out.
pub(super) struct App {
    pub(super) isolation: Option<Isolation>,
    pub(super) database_url_template: Option<LitStr>,
    pub(super) resolvers: Vec<Resolver>,
    pub(super) membership: Option<Membership>,
    /// The enum of the plans.
    pub(super) plans: Option<Path>,
    /// The type of tenants' metadata.
    pub(super) settings: Option<Path>,
    pub(super) audit: Option<Audit>,
    pub(super) admin: Option<Admin>,
    pub(super) embedded: Option<Embedded>,
    pub(super) models: Vec<Path>,
    /// The folder.
    pub(super) migrations: Option<LitStr>,
    pub(super) routes: Vec<Path>,
    /// Where the routes are to be described to everybody.
    pub(super) openapi: Option<Span>,
    pub(super) seeds: Vec<LitStr>,
}

pub(super) enum Isolation {
    Single(Strategy),
    Hybrid {
        premium: Strategy,
        standard: Strategy,
        premium_tenants: Vec<LitStr>,
        premium_plans: Vec<LitStr>,
    },
}

/// One way to keep tenants apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strategy {
    Rls,
    Schema,
    Database,
}

pub(super) enum Resolver {
    /// By a header, of this name unless it is the usual one.
    Header(Option<LitStr>),
    /// By the host, below this suffix; by domains of tenants' own as well, where
    /// that is written.
    Subdomain(LitStr, Option<Span>),
    /// By the path, after this prefix unless it is the usual one.
    Path(Option<LitStr>),
    /// By a claim of a signed token.
    Jwt(Jwt),
    /// In the application's own way.
    Own(Path),
}

/// What a token must say, as far as it is written.
pub(super) struct Jwt {
    /// Where the resolver was chosen.
    pub(super) span: Span,
    pub(super) claim: Option<LitStr>,
    pub(super) audience: Option<Expected>,
    pub(super) issuer: Option<Expected>,
    /// The variant of the runtime's `JwtAlgorithm`.
    pub(super) algorithm: Option<&'static str>,
}

/// What a claim must be.
pub(super) enum Expected {
    Any,
    One(LitStr),
}

/// Who decides whether a request may act for the tenant that it names.
pub(super) enum Membership {
    Gateway,
    Own(Path),
}

/// Where the trail of what is done is kept.
pub(super) enum Audit {
    Database,
    Log,
    Own(Path),
}

/// Who administers tenants.
pub(super) enum Admin {
    Open,
    Token,
    Own(Path),
}

/// A PostgreSQL inside the process.
pub(super) enum Embedded {
    Temporary(Span),
    Folder(LitStr),
}

/// What `main` takes, which decides who serves.
pub(super) enum Main {
    /// Nothing: it prepares, and the application serves afterwards, or does what
    /// the command line asks for.
    Prepares,
    /// The builder, at this place: it serves on its own.
    Serves(Span),
}
