//! Whether a channel lives: proven, not assumed. The machine is pure; the worker feeds it.

use crate::channel::{AccountState, Probe};
use crate::db::{channel, inbox, outbox};
use crate::engine::Engine;
use crate::matrix::HealthReport;
use kontor_model::{Ms, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// How often the network is asked.
const EVERY: Duration = Duration::from_secs(60);
/// How often it is asked while it refuses our access.
const WITHOUT_ACCESS: Duration = Duration::from_secs(3);
/// How often what was already told is told again, milliseconds: who is silent for long counts as gone.
const REPEAT: Ms = 45_000;
/// Silence shorter than this is never suspicious.
const SHORTEST_SILENCE: Ms = 2 * 3_600_000;
/// How many times the usual gap is suspicious.
const UNUSUAL: Ms = 10;
/// Failed probes after which a channel is down.
const DOWN_AFTER: u32 = 3;
/// Gaps that are remembered for each hour of the day.
const GAPS: usize = 21;

/// How a channel is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It works.
    #[default]
    Connected,
    /// It works, but not well.
    Degraded,
    /// It seems to work, but nothing comes for much longer than usual.
    NoTraffic,
    /// The network refuses our access.
    BadCredentials,
    /// The network cannot be reached.
    Down,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Degraded => "degraded",
            Self::NoTraffic => "no_traffic",
            Self::BadCredentials => "bad_credentials",
            Self::Down => "down",
        }
    }
}

/// Usual gaps between messages, by hour of the day (UTC), milliseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Gaps(Vec<Vec<Ms>>);

fn hour(at: Ms) -> usize {
    usize::try_from(at.rem_euclid(86_400_000) / 3_600_000).unwrap_or(0)
}

impl Gaps {
    /// Something came at `at`, after something at `before`.
    pub fn note(&mut self, before: Ms, at: Ms) {
        self.0.resize(24, Vec::new());
        if let Some(gaps) = self.0.get_mut(hour(at)).filter(|_| before > 0 && at > before) {
            gaps.push(at - before);
            if gaps.len() > GAPS {
                gaps.remove(0);
            }
        }
    }

    /// The usual gap at this time of the day, once enough is known.
    pub fn usual(&self, at: Ms) -> Option<Ms> {
        let mut gaps = self.0.get(hour(at))?.clone();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().filter(|_| gaps.len() >= 5)
    }
}

/// What is known of a channel at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub now: Ms,
    /// What the network said, or why it said nothing.
    pub probe: std::result::Result<Probe, String>,
    /// A message was refused for our access.
    pub no_access: bool,
    /// When something came last; 0 for never.
    pub last_in_at: Ms,
    /// The usual gap now, if silence is watched.
    pub usual_gap: Option<Ms>,
    pub dead: i64,
}

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Health {
    pub state: State,
    pub since: Ms,
    pub detail: String,
    failed_probes: u32,
}

impl Health {
    /// The next state. True when it is another one.
    pub fn step(&mut self, facts: &Facts) -> bool {
        self.failed_probes = if facts.probe.is_err() { self.failed_probes.saturating_add(1) } else { 0 };
        let (state, detail) = self.judge(facts);
        let changed = state != self.state;
        if changed || self.since == 0 {
            self.since = facts.now;
        }
        self.state = state;
        self.detail = detail;
        changed
    }

    fn judge(&self, facts: &Facts) -> (State, String) {
        match &facts.probe {
            Ok(Probe::BadCredentials(why)) => return (State::BadCredentials, why.clone()),
            Err(why) if self.failed_probes >= DOWN_AFTER => return (State::Down, why.clone()),
            Err(why) => return (State::Degraded, why.clone()),
            Ok(Probe::Degraded(why)) => return (State::Degraded, why.clone()),
            Ok(Probe::Fine { .. }) => {}
        }
        if facts.no_access {
            return (State::BadCredentials, "The network refused a message for our access.".to_owned());
        }
        let silence = facts.now - facts.last_in_at;
        if let Some(usual) = facts.usual_gap
            && facts.last_in_at > 0
            && silence > SHORTEST_SILENCE.max(usual * UNUSUAL)
        {
            let hours = silence / 3_600_000;
            return (State::NoTraffic, format!("Nothing came for {hours} hours, much longer than usual."));
        }
        if facts.dead > 0 {
            return (
                State::Degraded,
                format!("{} items could not be read and wait for a replay.", facts.dead),
            );
        }
        (State::Connected, String::new())
    }
}

/// Watches the channel until `closing`.
pub(crate) async fn work(engine: Arc<Engine>, mut closing: watch::Receiver<bool>) {
    let mut told = Told::default();
    while !*closing.borrow() {
        if let Err(error) = round(&engine, &mut told).await {
            tracing::error!(channel = engine.name(), ?error, "The channel's health cannot be written down.");
        }
        let refused = engine.no_access.load(Ordering::Relaxed);
        tokio::select! {
            () = tokio::time::sleep(if refused { WITHOUT_ACCESS } else { EVERY }) => {}
            () = engine.context.inner.health_news.notified() => {}
            _ = closing.changed() => {}
        }
    }
}

/// Asks the network whether it would talk to us.
async fn ask(engine: &Engine) -> std::result::Result<Probe, String> {
    let asked = tokio::time::timeout(Duration::from_secs(20), engine.channel.health(&engine.context)).await;
    match asked {
        Ok(Ok(probe)) => Ok(probe),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("The network does not answer.".to_owned()),
    }
}

/// What an administrator is told who wants to know whether the channel works, now.
pub(crate) async fn test(engine: &Engine) -> serde_json::Value {
    let (state, detail) = match ask(engine).await {
        Ok(Probe::Fine { .. }) => (State::Connected, String::new()),
        Ok(Probe::Degraded(why)) => (State::Degraded, why),
        Ok(Probe::BadCredentials(why)) => (State::BadCredentials, why),
        Err(why) => (State::Down, why),
    };
    engine.context.inner.health_news.notify_one();
    let paused = engine.paused.load(Ordering::Relaxed);
    serde_json::json!({ "state": state.name(), "detail": detail, "paused": paused })
}

/// What the homeserver was told last, and when.
#[derive(Default)]
struct Told {
    at: Ms,
    detail: String,
    accounts: Vec<AccountState>,
}

async fn round(engine: &Engine, told: &mut Told) -> Result<()> {
    let mut row = channel::get(engine.db(), engine.name(), engine.caps.kind).await?;
    let mut health: Health = serde_json::from_str(&row.health).unwrap_or_default();
    let mut gaps: Gaps = serde_json::from_str(&row.gaps).unwrap_or_default();
    let last_in = engine.last_in.load(Ordering::Relaxed).max(row.last_in_at);
    if last_in > row.last_in_at {
        gaps.note(row.last_in_at, last_in);
    }
    row.last_in_at = last_in;
    row.last_out_at = row.last_out_at.max(engine.last_out.load(Ordering::Relaxed));
    let probe = ask(engine).await;
    if matches!(probe, Ok(Probe::Fine { .. })) && engine.no_access.swap(false, Ordering::Relaxed) {
        // The probe is the proof that our access works (again): messages need not wait any longer.
        engine.network_gate.worked();
        engine.out_news.notify_one();
        engine.access_news.notify_one();
    }
    let now = engine.now();
    let (backlog, dead) = inbox::counts(engine.db(), engine.name()).await?;
    let backlog = backlog + outbox::waiting(engine.db(), engine.name()).await?;
    let expires_at = match &probe {
        Ok(Probe::Fine { expires_at, .. }) => *expires_at,
        _ => None,
    };
    let usual_gap = gaps.usual(now).filter(|_| engine.caps.watch_traffic);
    let no_access = engine.no_access.load(Ordering::Relaxed);
    let facts = Facts { now, probe, no_access, last_in_at: last_in, usual_gap, dead };
    let changed = health.step(&facts);
    if changed && health.state == State::Connected {
        tracing::info!(channel = engine.name(), "The channel works again.");
    } else if changed {
        let (state, detail) = (health.state.name(), &health.detail);
        tracing::error!(channel = engine.name(), state, detail, "The channel needs attention.");
    }
    row.health = serde_json::to_string(&health).unwrap_or_default();
    row.gaps = serde_json::to_string(&gaps).unwrap_or_default();
    channel::put(engine.db(), engine.name(), &row).await?;
    let accounts = engine.channel.accounts(&engine.context).await?;
    let news = changed || health.detail != told.detail || accounts != told.accounts;
    if !news && now - told.at <= REPEAT {
        return Ok(());
    }
    let report = HealthReport {
        channel: engine.name().to_owned(),
        state: health.state.name().to_owned(),
        detail: health.detail.clone(),
        since: health.since,
        last_in_at: row.last_in_at,
        last_out_at: row.last_out_at,
        backlog,
        dead,
        accounts: accounts.clone(),
        expires_at,
    };
    match engine.directory.health(&report).await {
        Ok(paused) => {
            *told = Told { at: now, detail: health.detail, accounts };
            // Whoever was away when it was said hears it now.
            if let Some(paused) = paused {
                engine.set_paused(paused).await?;
            }
        }
        Err(error) => tracing::debug!(?error, "The channel's health could not be told."),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Ms = 3_600_000;

    fn facts(now: Ms) -> Facts {
        Facts { now, probe: Ok(Probe::FINE), no_access: false, last_in_at: 0, usual_gap: None, dead: 0 }
    }

    #[test]
    fn a_network_that_does_not_answer_is_degraded_then_down_then_back() {
        let mut health = Health::default();
        let mut states = Vec::new();
        for (minute, answers) in (1..).zip([true, false, false, false, false, true]) {
            let probe = if answers { Ok(Probe::FINE) } else { Err("silence".to_owned()) };
            health.step(&Facts { probe, ..facts(minute * 60_000) });
            states.push(health.state);
        }
        use State::{Connected, Degraded, Down};
        assert_eq!(states, [Connected, Degraded, Degraded, Down, Down, Connected]);
        assert_eq!(health.since, 360_000);
    }

    #[test]
    fn refused_access_is_told_from_both_sides() {
        let mut health = Health::default();
        assert!(health.step(&Facts { no_access: true, ..facts(1) }));
        assert_eq!(health.state, State::BadCredentials);
        health.step(&facts(2));
        assert_eq!(health.state, State::Connected);
        health.step(&Facts { probe: Ok(Probe::BadCredentials("expired".into())), ..facts(3) });
        assert_eq!((health.state, health.detail.as_str()), (State::BadCredentials, "expired"));
    }

    #[test]
    fn silence_is_suspicious_only_when_it_is_unusual_and_long() {
        let quiet = |usual, silence| {
            let mut health = Health::default();
            let now = 100 * HOUR;
            health.step(&Facts { last_in_at: now - silence, usual_gap: usual, ..facts(now) });
            health.state == State::NoTraffic
        };
        assert!(quiet(Some(60_000), 3 * HOUR));
        assert!(!quiet(Some(60_000), HOUR), "shorter than two hours");
        assert!(!quiet(Some(HOUR), 9 * HOUR), "less than ten times the usual");
        assert!(quiet(Some(HOUR), 11 * HOUR));
        assert!(!quiet(None, 1000 * HOUR), "nobody knows what is usual");
    }

    #[test]
    fn what_is_usual_is_learned_for_each_hour() {
        let mut gaps = Gaps::default();
        let noon = 12 * HOUR;
        for minute in 0..30 {
            gaps.note(noon + minute * 60_000, noon + (minute + 1) * 60_000);
        }
        assert_eq!(gaps.usual(noon), Some(60_000));
        assert_eq!(gaps.usual(3 * HOUR), None);
        let stored = serde_json::to_string(&gaps).unwrap();
        let read: Gaps = serde_json::from_str(&stored).unwrap();
        assert_eq!(read.usual(noon + 24 * HOUR), Some(60_000));
    }

    #[test]
    fn dead_letters_are_no_health() {
        let mut health = Health::default();
        health.step(&Facts { dead: 2, ..facts(1) });
        assert_eq!(health.state, State::Degraded);
    }
}
