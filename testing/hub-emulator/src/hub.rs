//! The hub itself: licenses, keys and the five operations. No sockets here.

use std::collections::VecDeque;
use std::time::Duration;

use crate::body::Body;
use crate::clock::{DAY, HubClock, ceil_seconds, midnight};
use crate::endpoint::{Endpoint, RelayPath, Route};
use crate::license::{Format, LicenseSpec};
use crate::options::{ApiKey, Options};
use crate::outcome::{Outcome, Payload};
use crate::relay;
use crate::request::Request;
use crate::signer::{SigningKey, SplitMix, fill_random};

/// A license and the key that it was created with.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) owner: String,
    pub(crate) spec: LicenseSpec,
}

/// The hub's whole state.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    pub(crate) options: Options,
    pub(crate) key: SigningKey,
    pub(crate) licenses: Vec<Held>,
    /// When the requests within the rate limit's window came, in milliseconds.
    recent: VecDeque<i64>,
    random: SplitMix,
}

impl Hub {
    pub(crate) fn new(mut options: Options) -> Self {
        if options.api_keys.is_empty() {
            options.api_keys.push(ApiKey::new("emulator-key"));
        }
        options.base_path = format!("/{}", options.base_path.trim_matches('/'));
        if options.base_path == "/" {
            options.base_path.clear();
        }
        let seed = options.seed.unwrap_or_else(|| {
            let mut bytes = [0_u8; 8];
            fill_random(&mut bytes);
            u64::from_le_bytes(bytes)
        });
        let key = options.key_seed.map_or_else(SigningKey::generate, SigningKey::from_seed);
        Self { options, key, licenses: Vec::new(), recent: VecDeque::new(), random: SplitMix::new(seed) }
    }

    pub(crate) fn clock(&self) -> HubClock {
        HubClock { offset: self.options.clock_offset }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock().now()
    }

    /// The secret of the key that licenses belong to if nobody says otherwise.
    pub(crate) fn first_key(&self) -> String {
        self.options.api_keys.first().map(|key| key.secret.clone()).unwrap_or_default()
    }

    /// Adds a license, in place of one with the same serial.
    pub(crate) fn add(&mut self, owner: String, spec: LicenseSpec) {
        self.licenses.retain(|held| held.spec.serial != spec.serial);
        self.licenses.push(Held { owner, spec });
    }

    pub(crate) fn find(&self, serial: &str) -> Option<&LicenseSpec> {
        self.licenses.iter().find(|held| held.spec.serial == serial).map(|held| &held.spec)
    }

    /// Answers a request for the API or the relay.
    pub(crate) fn handle(&mut self, route: &Route, request: &Request) -> Outcome {
        match route {
            Route::Api(endpoint, serial) => self.api(*endpoint, serial, request).unwrap_or_else(|refusal| refusal),
            Route::Relay(path) => self.relay(*path, request).bare(),
            Route::WrongMethod(allow) => Outcome { allow: Some(*allow), ..Outcome::status(405) },
            Route::Admin(_) | Route::Nowhere => Outcome::status(404),
        }
    }

    fn api(&mut self, endpoint: Endpoint, serial: &str, request: &Request) -> Result<Outcome, Outcome> {
        let secret = request.header("x-api-key").unwrap_or_default();
        let known = self.options.api_keys.iter().find(|key| key.secret == secret);
        let key = known.cloned().ok_or_else(|| Outcome::error(401, "Unknown or missing API key."))?;
        if let Some(wait) = self.throttled() {
            return Err(Outcome { retry_after: Some(wait), ..Outcome::status(429) });
        }
        match endpoint {
            Endpoint::List => {
                let format = query_format(request)?;
                let own = self.licenses.iter().filter(|held| held.owner == key.secret);
                Ok(Outcome::success(Payload::List(own.map(|held| held.spec.clone()).collect(), format)))
            }
            Endpoint::Create => self.create(&key, request),
            Endpoint::View => {
                let format = query_format(request)?;
                let at = self.own(&key, serial)?;
                Ok(Outcome::success(Payload::License(Box::new(self.licenses[at].spec.clone()), format)))
            }
            Endpoint::Renew => {
                let at = self.own(&key, serial)?;
                self.renew(&key, at, request)
            }
            Endpoint::Delete => {
                let at = self.own(&key, serial)?;
                self.licenses.remove(at);
                Ok(Outcome::success(Payload::Null))
            }
            Endpoint::Relay | Endpoint::Unknown | Endpoint::Any => Err(Outcome::status(404)),
        }
    }

    /// Where a license of this key stands; that of another key does not exist for it.
    fn own(&self, key: &ApiKey, serial: &str) -> Result<usize, Outcome> {
        let at = self.licenses.iter().position(|held| held.owner == key.secret && held.spec.serial == serial);
        at.ok_or_else(|| Outcome::error(404, "There is no license with this serial number."))
    }

    /// Counts a request; seconds to wait if there were too many.
    fn throttled(&mut self) -> Option<u64> {
        let limit = self.options.rate_limit?;
        let now = self.clock().millis();
        let window = i64::try_from(limit.window.as_millis()).unwrap_or(i64::MAX);
        while self.recent.front().is_some_and(|&first| now.saturating_sub(first) >= window) {
            self.recent.pop_front();
        }
        if self.recent.len() < usize::try_from(limit.requests).unwrap_or(usize::MAX) {
            self.recent.push_back(now);
            return None;
        }
        let free_at = self.recent.front().map_or(now.saturating_add(window), |first| first.saturating_add(window));
        let millis = u64::try_from(free_at.saturating_sub(now)).unwrap_or(0);
        Some(ceil_seconds(Duration::from_millis(millis)).max(1).unsigned_abs())
    }

    fn create(&mut self, key: &ApiKey, request: &Request) -> Result<Outcome, Outcome> {
        let now = self.now();
        let mut body = Body::read(request)?;
        let issued_to = body.required_text("issued_to");
        let entitlements = body.required_names("entitlements");
        let term = body.term(now, key.max_term_days);
        let duid = body.text("duid");
        let description = body.text("description");
        let notes = body.text("notes");
        let renewable = body.flag("renewable");
        let transferable = body.flag("transferable");
        let format = body.format(request);
        body.finish()?;
        if let Some(name) = entitlements.iter().find(|&name| !key.entitlements.contains(name)) {
            return Err(Outcome::error(403, format!("Permission denied: this API key may not grant {name}.")));
        }
        for (name, asked, may) in [
            ("renewable", renewable.is_some(), key.may_set_renewable),
            ("transferable", transferable.is_some(), key.may_set_transferable),
        ] {
            if asked && !may {
                return Err(Outcome::error(403, format!("Permission denied: this API key may not set {name}.")));
            }
        }
        let held = |held: &Held| held.owner == key.secret && held.spec.duid == duid;
        if self.options.one_license_per_duid && duid.is_some() && self.licenses.iter().any(held) {
            return Err(Outcome::error(409, "This device already has a license."));
        }
        let spec = LicenseSpec {
            serial: self.new_serial(now),
            issued_to,
            version: "1.0".to_owned(),
            duid,
            created_at: Some(now),
            expire_at: term.unwrap_or_else(|| self.default_expiry(now, key)),
            entitlements,
            renewable: renewable.or(if key.renewable_by_default { None } else { Some(false) }),
            transferable,
            description,
            notes,
            extra: Vec::new(),
        };
        self.add(key.secret.clone(), spec.clone());
        Ok(Outcome::success(Payload::License(Box::new(spec), format)))
    }

    fn renew(&mut self, key: &ApiKey, at: usize, request: &Request) -> Result<Outcome, Outcome> {
        let now = self.now();
        let current = self.licenses[at].spec.clone();
        let mut body = Body::read(request)?;
        let term = body.term(now, key.max_term_days);
        let format = body.format(request);
        if term.is_some_and(|day| day < current.expire_at) {
            body.complain("expire_at", "A renewal cannot end earlier than the license does.");
        }
        body.finish()?;
        if current.renewable == Some(false) {
            return Err(Outcome::error(409, "This license is not renewable."));
        }
        let spec = self.extend(current, term, key, now);
        self.licenses[at].spec = spec.clone();
        Ok(Outcome::success(Payload::License(Box::new(spec), format)))
    }

    /// A renewed license. The default term never shortens one, short lives do what they are told.
    fn extend(&self, mut spec: LicenseSpec, term: Option<i64>, key: &ApiKey, now: i64) -> LicenseSpec {
        let by_default = self.default_expiry(now, key);
        spec.expire_at = match term {
            Some(day) => day,
            None if self.options.lifetime.is_some() => by_default,
            None => by_default.max(spec.expire_at),
        };
        if !self.options.keep_created_at {
            spec.created_at = Some(now);
        }
        spec
    }

    fn default_expiry(&self, now: i64, key: &ApiKey) -> i64 {
        match self.options.lifetime {
            Some(lifetime) => now.saturating_add(ceil_seconds(lifetime)),
            None => midnight(now).saturating_add(i64::from(key.max_term_days).saturating_mul(DAY)),
        }
    }

    /// Renews without a request, as an administrator at the hub, or the relay, does. `false`: no such license.
    pub(crate) fn renew_now(&mut self, serial: &str) -> bool {
        let now = self.now();
        let Some(at) = self.licenses.iter().position(|held| held.spec.serial == serial) else {
            return false;
        };
        let owner = self.licenses[at].owner.clone();
        let key = self.options.api_keys.iter().find(|key| key.secret == owner).cloned();
        let key = key.unwrap_or_else(|| ApiKey::new(owner));
        self.licenses[at].spec = self.extend(self.licenses[at].spec.clone(), None, &key, now);
        true
    }

    fn relay(&mut self, path: RelayPath, request: &Request) -> Outcome {
        if !relay::admits(path, request, &self.options.relay) {
            return Outcome::error(401, "Unauthorized");
        }
        let wanted = match &self.options.relay.serial {
            Some(serial) => self.find(serial),
            None => self.licenses.first().map(|held| &held.spec),
        };
        let Some(spec) = wanted.cloned() else {
            return Outcome::error(500, "Unable to get license");
        };
        let left = spec.expire_at.saturating_sub(self.now());
        if self.options.relay.renew_before.is_some_and(|before| left < ceil_seconds(before)) {
            self.renew_now(&spec.serial);
        }
        let spec = self.find(&spec.serial).cloned().unwrap_or(spec);
        Outcome::success(Payload::License(Box::new(spec), Format::Netifyd))
    }

    fn new_serial(&mut self, now: i64) -> String {
        loop {
            let number = self.random.next();
            let year = &crate::clock::date(now)[..4];
            let serial = format!("{year}-{:04}-{:08}", (number >> 32) % 10_000, number % 100_000_000);
            if self.find(&serial).is_none() {
                return serial;
            }
        }
    }
}

fn query_format(request: &Request) -> Result<Format, Outcome> {
    let Some(name) = request.parameter("format") else {
        return Ok(Format::default());
    };
    let complaint = || vec![("format".to_owned(), "Must be object or netifyd.".to_owned())];
    Format::from_name(&name).ok_or_else(|| Outcome::invalid(complaint()))
}
