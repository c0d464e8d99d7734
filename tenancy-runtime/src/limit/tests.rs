//! The algorithm against a log of every request, and what keys are called.

use std::collections::{HashMap, HashSet, VecDeque};

use proptest::prelude::*;

use super::key::{Counter, Key};
use super::memory::{MOST, MemoryStore, take_at};
use super::window::{SLICES, slice_micros};
use crate::plan::{Per, RateLimit};
use crate::tenant::TenantId;

const PERS: [Per; 4] = [Per::Second, Per::Minute, Per::Hour, Per::Day];

fn counter(tenant: TenantId, route: Option<&'static str>, limit: RateLimit) -> Counter {
    let per = limit.per();
    let key = Key { tenant, route, per };
    Counter { key, limit }
}

/// A limit, and the microseconds between requests: often the edges of slices.
fn traffic() -> impl Strategy<Value = (RateLimit, Vec<u64>)> {
    (1..8_u32, prop::sample::select(&PERS[..])).prop_flat_map(|(requests, per)| {
        let slice = slice_micros(per);
        let gap = prop_oneof![
            Just(0),
            Just(1),
            Just(slice - 1),
            Just(slice),
            0..slice * 10,
            0..slice * (SLICES + 5),
        ];
        let gaps = prop::collection::vec(gap, 1..200);
        (Just(RateLimit::new(requests, per)), gaps)
    })
}

proptest! {
    #[test]
    fn no_time_of_a_limit_s_length_has_more_than_it_says_and_no_request_is_refused_for_nothing(
        (limit, gaps) in traffic()
    ) {
        let period = u64::from(limit.per().seconds()) * 1_000_000;
        let one = counter(TenantId::generate(), None, limit);
        let mut windows = HashMap::new();
        let mut log = VecDeque::new();
        let mut now = 0;
        for gap in gaps {
            now += gap;
            let within = |length: u64| log.iter().filter(|&&at| at + length > now).count();
            let most = limit.requests() as usize;
            let (strict, lenient) = (within(period), within(period + 2 * slice_micros(limit.per())));
            let outcome = take_at(&mut windows, MOST, now, &[one]);
            if strict >= most {
                prop_assert!(!outcome.admitted, "more than the limit within its time");
            }
            if lenient < most {
                prop_assert!(outcome.admitted, "refused below the limit");
            }
            if outcome.admitted {
                log.push_back(now);
            } else {
                // The promise of `Retry-After`.
                let later = now + u64::try_from(outcome.readings[0].more_after.as_micros()).unwrap();
                prop_assert!(later > now);
                let mut copy = HashMap::new();
                for &at in &log {
                    take_at(&mut copy, MOST, at, &[one]);
                }
                prop_assert!(take_at(&mut copy, MOST, later, &[one]).admitted);
            }
        }
    }

    #[test]
    fn a_key_s_name_leads_back_to_it(
        application in "[a-z:0-9]{0,12}",
        route in prop::option::of("[A-Z]{1,4} [/a-z0-9:{}]{0,12}"),
        per in prop::sample::select(&PERS[..]),
    ) {
        let tenant = TenantId::generate();
        let route: Option<&'static str> = route.map(|route| &*route.leak());
        let key = Key { tenant, route, per };
        prop_assert_eq!(read_back(&key.name(&application)), (application, key));
    }
}

/// The key of a name. That there is such a function means that no two keys have
/// one name.
fn read_back(name: &str) -> (String, Key) {
    let rest = name.strip_prefix("tenancy:limit:{").unwrap();
    let (tenant, rest) = rest.split_at(36);
    let (per, rest) = rest.strip_prefix("}:").unwrap().split_once(':').unwrap();
    let (application, rest) = counted(rest);
    let route = match rest {
        ":tenant" => None,
        route => {
            let (route, end) = counted(route.strip_prefix(":route:").unwrap());
            assert_eq!(end, "");
            Some(&*route.to_owned().leak())
        }
    };
    let tenant = serde_json::from_value(serde_json::json!(tenant)).unwrap();
    let per = PERS
        .into_iter()
        .find(|known| known.as_str() == per)
        .unwrap();
    (application.to_owned(), Key { tenant, route, per })
}

fn counted(text: &str) -> (&str, &str) {
    let (length, rest) = text.split_once(':').unwrap();
    rest.split_at(length.parse().unwrap())
}

#[test]
fn names_without_their_lengths_would_collide() {
    let key = |route| Key {
        tenant: TenantId::generate(),
        route: Some(route),
        per: Per::Second,
    };
    let (a, b) = (key("b:tenant"), key("tenant"));
    let b = Key {
        tenant: a.tenant,
        ..b
    };
    // The twin: joined without lengths, the two are one.
    let joined = |application: &str, key: Key| {
        let route = key.route.unwrap();
        format!("{application}:{route}")
    };
    assert_eq!(joined("a", a), joined("a:b", b));
    assert_ne!(a.name("a"), b.name("a:b"));
}

#[test]
fn two_limits_count_a_request_both_or_neither() {
    let tenant = TenantId::generate();
    let all = counter(tenant, None, RateLimit::new(3, Per::Minute));
    let one = counter(tenant, Some("GET /a"), RateLimit::new(1, Per::Minute));
    let store = MemoryStore::new(MOST);
    assert!(store.take(&[all, one]).admitted);
    for _ in 0..5 {
        assert!(
            !store.take(&[all, one]).admitted,
            "the route is at its limit"
        );
    }
    // None of those five was counted for the tenant.
    let outcome = store.take(&[all]);
    assert!(outcome.admitted);
    assert_eq!(outcome.readings[0].used, 2);
    // Another tenant, another route and another time have counts of their own.
    let other = counter(TenantId::generate(), Some("GET /a"), one.limit);
    let route = counter(tenant, Some("GET /b"), one.limit);
    let time = counter(tenant, Some("GET /a"), RateLimit::new(1, Per::Hour));
    for fresh in [other, route, time] {
        assert!(store.take(&[fresh]).admitted);
    }
}

#[test]
fn ten_thousand_tenants_take_no_more_room_than_there_is() {
    let limit = RateLimit::new(5, Per::Day);
    let tenants: Vec<_> = (0..10_000).map(|_| TenantId::generate()).collect();
    let kept = |most: usize| {
        let mut windows = HashMap::new();
        for (now, &tenant) in (0..).step_by(1_000).zip(&tenants) {
            let one = counter(tenant, None, limit);
            // The busiest stays in, however many others come by.
            let busy = counter(tenants[0], None, limit);
            assert!(take_at(&mut windows, most, now, &[one]).admitted || tenant == tenants[0]);
            take_at(&mut windows, most, now, &[busy]);
            assert!(windows.len() <= most);
        }
        windows.len()
    };
    assert!(kept(1_000) <= 1_000);
    // The twin: it is the bound that holds them back.
    assert_eq!(kept(MOST), 10_000);
    assert!(size_of::<(Key, super::window::Window)>() * MOST < 16 * 1024 * 1024);
}

#[test]
fn who_is_at_the_limit_stays_there_while_others_come_by() {
    let most = 100;
    let limit = RateLimit::new(2, Per::Hour);
    let busy = counter(TenantId::generate(), None, limit);
    let mut windows = HashMap::new();
    let mut admitted = 0;
    let slice = slice_micros(Per::Hour);
    for step in 0..50 {
        for _ in 0..20 {
            let passer = counter(TenantId::generate(), None, limit);
            take_at(&mut windows, most, step * slice, &[passer]);
        }
        admitted += u32::from(take_at(&mut windows, most, step * slice, &[busy]).admitted);
    }
    // Refused requests are no use of a window, so a tenant that only knocks may
    // be forgotten, and then has its limit once more: never more often than its
    // place is needed by as many others.
    assert!(admitted <= 2 * (50 * 20 / most as u32 + 1), "{admitted}");
    assert!(windows.len() <= most);
}

#[test]
fn a_limit_s_slices_are_never_too_short() {
    let lengths: HashSet<_> = PERS
        .into_iter()
        .map(|per| {
            let period = u64::from(per.seconds()) * 1_000_000;
            assert!(slice_micros(per) * SLICES >= period);
            assert!(slice_micros(per) * SLICES < period + SLICES);
            slice_micros(per)
        })
        .collect();
    assert_eq!(lengths.len(), PERS.len());
}

/// What the script says of the algorithm is what is said here; and it asks
/// nobody but its server what time it is.
#[cfg(feature = "redis")]
#[test]
fn the_script_counts_in_the_same_slices_by_its_server_s_clock() {
    let script = include_str!("script.lua");
    assert!(script.contains(&format!("local SLICES = {SLICES}\n")));
    assert!(script.contains("redis.call('TIME')"));
    let arguments: HashSet<_> = script
        .match_indices("ARGV[")
        .map(|(at, _)| script[at..].split_once(']').unwrap().0)
        .collect();
    assert_eq!(arguments, HashSet::from(["ARGV[2 * i - 1", "ARGV[2 * i"]));
}
