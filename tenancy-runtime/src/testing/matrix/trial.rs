use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use super::report::{Report, Row};
use super::route::Route;
use super::{Exception, Matrix, data};
use crate::testing::{Answer, Caller};

/// What stands in the holes of one call.
type Filling = Vec<String>;

/// The shortest name of B's that is looked for: shorter ones are in many a word.
const TELLING: usize = 5;

/// A matrix while it runs.
pub(super) struct Trial {
    matrix: Matrix,
    /// What is in the bodies of each: nowhere else, and short enough for any column.
    canaries: [String; 2],
    /// How many bodies there were: each has a text of its own, for unique columns.
    bodies: usize,
    ids: BTreeSet<String>,
    /// All that B was answered while its rows were made and read.
    answered: String,
    /// Texts of B's that B was shown.
    secrets: Vec<String>,
    tried: Vec<Tried>,
    wrong: Vec<String>,
}

/// What became of one route.
#[derive(Default)]
struct Tried {
    a: BTreeMap<u16, usize>,
    b: BTreeMap<u16, usize>,
    /// What A was answered.
    answers: BTreeMap<Filling, u16>,
    /// What B itself was let through with.
    good: BTreeSet<Filling>,
    /// What is said already of it.
    said: BTreeSet<&'static str>,
    cut_off: bool,
}

#[derive(Clone, Copy)]
enum Who {
    A,
    B,
}

impl Trial {
    pub(super) fn new(mut matrix: Matrix) -> Self {
        let canary = |who: &str| {
            let id = Uuid::now_v7().simple().to_string();
            format!("canary-{who}-{}", &id[20..])
        };
        Self {
            canaries: [canary("a"), canary("b")],
            bodies: 0,
            ids: std::mem::take(&mut matrix.ids).into_iter().collect(),
            answered: String::new(),
            secrets: Vec::new(),
            tried: matrix.routes.iter().map(|_| Tried::default()).collect(),
            wrong: std::mem::take(&mut matrix.wrong),
            matrix,
        }
    }

    pub(super) async fn run(mut self) -> Report {
        self.make().await;
        self.look(true).await;
        // With the keys that the first look has found.
        let before = self.look(true).await;
        self.know_secrets();
        self.call_as_a().await;
        let after = self.look(false).await;
        self.compare(&before, &after);
        self.call_as_b().await;
        self.judge().await;
        self.report()
    }

    /// Has B make its rows: first those that refer to none.
    async fn make(&mut self) {
        for referring in [false, true] {
            for at in self.called(|route| !route.reads() && route.parameters() == 0) {
                let references = self.references(at);
                if self.has_body(at) && (references > 0) == referring {
                    let mut answer = self.call(Who::B, at, &[]).await;
                    for filling in self.fillings(at, references) {
                        if succeeded(answer.as_ref()) {
                            break;
                        }
                        answer = self.call(Who::B, at, &filling).await;
                        self.note_good(at, &filling, answer.as_ref());
                    }
                    self.note_good(at, &[], answer.as_ref().filter(|_| references == 0));
                    self.learn(at, answer.as_ref());
                }
            }
        }
    }

    /// What B is answered by all routes that read.
    async fn look(&mut self, learn: bool) -> BTreeMap<(usize, Filling), (u16, Vec<u8>)> {
        let mut seen = BTreeMap::new();
        for at in self.called(Route::reads) {
            for filling in self.fillings(at, self.holes(at)) {
                let answer = self.call(Who::B, at, &filling).await;
                self.note_good(at, &filling, answer.as_ref());
                if learn {
                    self.learn(at, answer.as_ref());
                }
                if let Some(answer) = answer {
                    seen.insert((at, filling), (answer.status.as_u16(), answer.body));
                }
            }
        }
        seen
    }

    fn know_secrets(&mut self) {
        let given = self.matrix.canaries.clone();
        let made = self.matrix.bodies.is_empty();
        let mut required = given;
        required.extend((!made).then(|| self.canaries[1].clone()));
        for text in required {
            if !self.shows(&self.answered, &text) {
                self.wrong.push(format!(
                    "`{text}` is in no answer to B, so that A's say nothing: put it into a field \
                     that a route of B's shows"
                ));
            }
            self.secrets.push(text);
        }
        let who = self.matrix.b.who().to_owned();
        if who.len() >= TELLING && self.shows(&self.answered, &who) {
            self.secrets.push(who);
        }
        if self.secrets.is_empty() && self.ids.is_empty() {
            let nothing = "B has no data that could be found: give its routes bodies, or name a \
                           canary";
            self.wrong.push(nothing.to_owned());
        }
    }

    async fn call_as_a(&mut self) {
        for at in self.called(|_| true) {
            for filling in self.fillings(at, self.holes(at)) {
                let Some(answer) = self.call(Who::A, at, &filling).await else {
                    continue;
                };
                let status = answer.status.as_u16();
                self.tried[at].answers.insert(filling.clone(), status);
                let excused = [Exception::Allowed, Exception::Shared];
                let excused = excused.iter().any(|one| self.is(at, *one));
                if !filling.is_empty() && answer.status.is_success() && !excused {
                    let what = format!("lets A through with B's {}", filling.join(", "));
                    self.object(at, "through", &what);
                }
                if let Some(what) = self.leak(at, &filling, &answer) {
                    self.object(at, "leak", &what);
                }
                if matches!(status, 401 | 429 | 500..) {
                    let what = format!("answers {status} to A, which says nothing about the key");
                    self.object(at, "empty", &what);
                }
            }
        }
    }

    /// What of B's is in an answer to A.
    fn leak(&self, at: usize, sent: &[String], answer: &Answer) -> Option<String> {
        let whole = answer.whole();
        let status = answer.status.as_u16();
        let found = |what: &str, text: &str| Some(format!("shows A {what} `{text}` ({status})"));
        if let Some(text) = self.secrets.iter().find(|text| self.shows(&whole, text)) {
            return found("B's text", text);
        }
        if self.is(at, Exception::Shared) {
            return None;
        }
        // Numbers are everybody's.
        let mut ids = self.ids.iter().filter(|id| Uuid::try_parse(id).is_ok());
        let id = ids.find(|id| !sent.contains(id) && whole.contains(id.as_str()))?;
        found("B's key", id)
    }

    fn shows(&self, whole: &str, text: &str) -> bool {
        let escaped = Value::from(text).to_string();
        whole.contains(text) || whole.contains(escaped.trim_matches('"'))
    }

    fn compare(
        &mut self,
        before: &BTreeMap<(usize, Filling), (u16, Vec<u8>)>,
        after: &BTreeMap<(usize, Filling), (u16, Vec<u8>)>,
    ) {
        for ((at, filling), answer) in before {
            let now = after.get(&(*at, filling.clone()));
            if now != Some(answer) && !self.is(*at, Exception::Changing) {
                let what = "answers B differently after A's calls (declare it `changing`, with a \
                            reason, if it does so by itself)";
                self.object(*at, "changed", what);
            }
        }
    }

    /// Proves that the same calls are good ones, what deletes last.
    async fn call_as_b(&mut self) {
        let mut all = self.called(|_| true);
        all.sort_by_key(|at| self.matrix.routes[*at].method == "DELETE");
        for at in all {
            for filling in self.fillings(at, self.holes(at)) {
                if !self.tried[at].good.is_empty() {
                    break;
                }
                let answer = self.call(Who::B, at, &filling).await;
                self.note_good(at, &filling, answer.as_ref());
            }
        }
    }

    /// Looks at A's answers by what B's have shown to be good calls.
    async fn judge(&mut self) {
        for at in self.called(|_| true) {
            let Some(good) = self.tried[at].good.first().cloned() else {
                let what = "is answered 2xx to nobody: give it a `body`, or rows to B, or `skip` \
                            it with a reason";
                self.object(at, "idle", what);
                continue;
            };
            let to_a = self.tried[at].answers.get(&good).copied();
            let Some(to_a) = to_a else { continue };
            if good.is_empty() {
                if !(200..300).contains(&to_a) {
                    let what = format!("answers A {to_a} where B is answered 2xx");
                    self.object(at, "unlike", &what);
                }
                continue;
            }
            if to_a == 400 {
                let what = "answers A 400 to what is a good request of B's: nobody looked at the \
                            key";
                self.object(at, "empty", what);
            }
            let nobody_s: Filling = good.iter().map(|id| data::nobody_s(id)).collect();
            if let Some(answer) = self.call(Who::A, at, &nobody_s).await {
                let status = answer.status.as_u16();
                if status != to_a && !self.is(at, Exception::Shared) {
                    let what = format!("tells B's key ({to_a}) from nobody's ({status})");
                    self.object(at, "tells", &what);
                }
            }
        }
    }

    fn report(self) -> Report {
        let routes = self.matrix.routes.iter().zip(&self.tried);
        let rows = routes.map(|(route, tried)| {
            let exception = self.matrix.exceptions.get(&route.name);
            let mut note = exception.map_or_else(String::new, |(kind, reason)| {
                format!("{}: {reason}", format!("{kind:?}").to_lowercase())
            });
            if tried.cut_off {
                note.push_str(" (not with every combination of keys)");
            }
            Row {
                route: route.name.clone(),
                a: tried.a.clone(),
                b: tried.b.clone(),
                note: note.trim_start().to_owned(),
            }
        });
        Report {
            rows: rows.collect(),
            wrong: self.wrong,
        }
    }

    /// The routes that are called and of this kind.
    fn called(&self, kind: impl Fn(&Route) -> bool) -> Vec<usize> {
        let routes = self.matrix.routes.iter().enumerate();
        let called = routes.filter(|(at, route)| !self.is(*at, Exception::Skipped) && kind(route));
        called.map(|(at, _)| at).collect()
    }

    fn is(&self, at: usize, exception: Exception) -> bool {
        let found = self.matrix.exceptions.get(&self.matrix.routes[at].name);
        found.is_some_and(|(kind, _)| *kind == exception)
    }

    fn has_body(&self, at: usize) -> bool {
        let name = &self.matrix.routes[at].name;
        self.matrix.bodies.contains_key(name)
    }

    fn references(&self, at: usize) -> usize {
        let body = self.matrix.bodies.get(&self.matrix.routes[at].name);
        body.map_or(0, |body| data::references(&body("")))
    }

    /// How many keys a call of the route takes.
    fn holes(&self, at: usize) -> usize {
        self.matrix.routes[at].parameters() + self.references(at)
    }

    fn fillings(&mut self, at: usize, holes: usize) -> Vec<Filling> {
        let ids: Vec<_> = self.ids.iter().cloned().collect();
        let (fillings, complete) = data::fillings(&ids, holes);
        self.tried[at].cut_off |= !complete;
        fillings
    }

    async fn call(&mut self, who: Who, at: usize, filling: &[String]) -> Option<Answer> {
        let route = &self.matrix.routes[at];
        let (caller, canary): (&Caller, _) = match who {
            Who::A => (&self.matrix.a, &self.canaries[0]),
            Who::B => (&self.matrix.b, &self.canaries[1]),
        };
        self.bodies += 1;
        let body = self.matrix.bodies.get(&route.name).map(|body| {
            let mut body = body(&format!("{canary}-{}", self.bodies));
            let mut ids = filling.iter().skip(route.parameters()).cloned();
            data::refer(&mut body, &mut ids);
            body
        });
        let path = route.path(filling);
        match caller.try_send(&route.method, &path, body.as_ref()).await {
            Ok(answer) => {
                let tried = &mut self.tried[at];
                let counts = match who {
                    Who::A => &mut tried.a,
                    Who::B => &mut tried.b,
                };
                *counts.entry(answer.status.as_u16()).or_default() += 1;
                Some(answer)
            }
            Err(error) => {
                let cause = std::error::Error::source(&error);
                let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
                self.object(at, "silent", &format!("answers nothing: {cause}"));
                None
            }
        }
    }

    fn note_good(&mut self, at: usize, filling: &[String], answer: Option<&Answer>) {
        if succeeded(answer) {
            self.tried[at].good.insert(filling.to_vec());
        }
    }

    /// Remembers what B was answered, and the keys in it.
    fn learn(&mut self, at: usize, answer: Option<&Answer>) {
        let Some(answer) = answer.filter(|answer| answer.status.is_success()) else {
            return;
        };
        self.answered.push_str(&answer.whole());
        if self.is(at, Exception::Shared) {
            return;
        }
        if let Ok(body) = serde_json::from_slice(&answer.body) {
            data::ids_in(&body, "", &mut self.ids);
        }
    }

    /// Once for each kind: what is wrong with one key is wrong with a hundred.
    fn object(&mut self, at: usize, kind: &'static str, what: &str) {
        if self.tried[at].said.insert(kind) {
            let route = &self.matrix.routes[at].name;
            self.wrong.push(format!("{route} {what}"));
        }
    }
}

fn succeeded(answer: Option<&Answer>) -> bool {
    answer.is_some_and(|answer| answer.status.is_success())
}
