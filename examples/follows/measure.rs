//! Many builds at once: requests a second, and how long an end stays unseen.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use reprise::model::{Timestamp, millis};
use sandbox::bkci::{BkCi, Endpoint, Fault, On};
use sandbox::discord::Discord;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use crate::Arguments;
use crate::fill::{self, Followed};
use crate::scene::{Report, Scene};

/// `bkci.max_requests_per_s`
const MOST_PER_S: u64 = 25;

/// A change is seen within this.
const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// How often is looked whether a change was seen.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What was not seen so long after the end of the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Messages are posted at Discord's own pace.
const POSTED_WITHIN: Duration = Duration::from_mins(5);

pub async fn measure(arguments: &Arguments) -> anyhow::Result<Report> {
    let scene = Scene::set().await?;
    let followed = fill::fill(&scene, arguments).await?;
    let filled = scene.bkci.requests().len();
    if arguments.latency > 0 {
        scene.bkci.order_always(On::Any, Fault::delay_request(Duration::from_millis(arguments.latency)));
    }
    let most = MOST_PER_S.to_string();
    let bot = scene.start(scene.settings(arguments.family, &[("BKCI__MAX_REQUESTS_PER_S", &most)])?).await?;
    let mut database = SqliteConnection::connect(&scene.file).await?;
    until_posted(&mut database).await?;
    tokio::time::sleep(Duration::from_secs(arguments.settle)).await;

    let begun = scene.clock.now();
    let until = begun.plus(Duration::from_secs(arguments.seconds));
    let seen = watch(&scene, &mut database, (begun, until), &followed).await?;
    let messages = messages(&mut database).await?;
    bot.stop().await?;
    let mut report = Report::default();
    report.tell("family", "addresses of BK-CI", arguments.family.key());
    report.tell("builds", "builds followed", arguments.builds);
    report.tell("pipelines", "over pipelines", arguments.pipelines);
    report.tell("noticed", "with a notice", arguments.noticed);
    report.tell("watched", "pipelines watched too", arguments.watched);
    report.tell("seconds", "seconds measured", arguments.seconds);
    requests(&mut report, &scene.bkci, filled, (begun, until));
    ends(&mut report, &seen);
    edits(&mut report, &scene.discord, (begun, until), (&seen, &messages));
    for violation in scene.bkci.violations().into_iter().chain(scene.discord.violations()).take(3) {
        report.break_off(violation);
    }
    Ok(report)
}

async fn until_posted(database: &mut SqliteConnection) -> anyhow::Result<()> {
    let posted = async {
        loop {
            let sql = "SELECT COUNT(*) FROM notice JOIN delivery ON delivery.id = notice.delivery
                       WHERE delivery.message IS NULL";
            let (waiting,): (i64,) = sqlx::query_as(sql).fetch_one(&mut *database).await?;
            if waiting == 0 {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(POSTED_WITHIN, posted).await.context("the notices are not posted")?
}

/// An end, and when our rows said so.
struct Seen<'a> {
    followed: &'a Followed,
    gone: Option<Timestamp>,
}

/// Looks at our rows until every end within the time has been seen.
async fn watch<'a>(
    scene: &Scene,
    database: &mut SqliteConnection,
    (begun, until): (Timestamp, Timestamp),
    followed: &'a [Followed],
) -> anyhow::Result<Vec<Seen<'a>>> {
    let within = followed.iter().filter(|one| (begun..until).contains(&one.ends));
    let mut ends: Vec<_> = within.map(|followed| Seen { followed, gone: None }).collect();
    loop {
        let now = scene.clock.now();
        for end in ends.iter_mut().filter(|end| end.gone.is_none() && end.followed.ends <= now) {
            let sql = "SELECT COUNT(*) FROM follow WHERE build = ?";
            let (rows,): (i64,) =
                sqlx::query_as(sql).bind(end.followed.build.build.as_str()).fetch_one(&mut *database).await?;
            end.gone = (rows == 0).then(|| scene.clock.now());
        }
        let all = ends.iter().all(|end| end.gone.is_some());
        if now >= until && (all || now >= until.plus(PATIENCE)) {
            return Ok(ends);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Which messages show which build.
async fn messages(database: &mut SqliteConnection) -> anyhow::Result<HashMap<String, Vec<String>>> {
    let sql = "SELECT notice.build, delivery.message FROM notice JOIN delivery ON delivery.id = notice.delivery
               WHERE delivery.message IS NOT NULL";
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(database).await?;
    let mut messages: HashMap<String, Vec<String>> = HashMap::new();
    for (build, message) in rows {
        messages.entry(build).or_default().push(message.to_string());
    }
    Ok(messages)
}

fn requests(report: &mut Report, bkci: &BkCi, filled: usize, (begun, until): (Timestamp, Timestamp)) {
    let requests = bkci.requests();
    // From the start on: the limit holds there too.
    let arrivals: Vec<i64> = requests.iter().skip(filled).map(|request| request.at_ms).collect();
    let within: Vec<_> = requests.iter().skip(filled).filter(|one| (begun.0..until.0).contains(&one.at_ms)).collect();
    let seconds = (until.0 - begun.0) as f64 / 1000.0;
    let of = |wanted: &[Endpoint]| {
        within.iter().filter(|one| one.endpoint.is_some_and(|endpoint| wanted.contains(&endpoint))).count()
    };
    report.tell(
        "requests_mean_per_s",
        "requests a second, mean",
        (within.len() as f64 / seconds * 100.0).round() / 100.0,
    );
    report.hold(("requests_max_per_s", "requests in any second, most"), most_within(arrivals, 1_000), MOST_PER_S);
    report.tell("looks", "… of them looks", of(&[Endpoint::History, Endpoint::Batch]));
    report.tell("details", "… of them builds read", of(&[Endpoint::Detail]));
}

/// The most moments in any window of so many milliseconds.
pub fn most_within(mut moments: Vec<i64>, window_ms: i64) -> u64 {
    moments.sort_unstable();
    let mut first = 0;
    let mut most = 0;
    for (last, moment) in moments.iter().enumerate() {
        while moments[first] <= moment - window_ms {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most as u64
}

fn ends(report: &mut Report, ends: &[Seen<'_>]) {
    let delays = ends.iter().filter_map(|end| Some(end.gone?.since(end.followed.ends))).collect();
    report.tell("ended", "builds that ended", ends.len());
    delay(report, ("seen", "an end is seen after, ms"), delays);
    let unseen = ends.iter().filter(|end| end.gone.is_none()).count();
    if unseen > 0 {
        report.break_off(format!("{unseen} ends were not seen at all"));
    }
}

fn delay(report: &mut Report, (key, words): (&str, &str), mut delays: Vec<Duration>) {
    delays.sort_unstable();
    let at = |share: f64| delays.get(((delays.len() as f64 * share) as usize).min(delays.len().saturating_sub(1)));
    let ms = |delay: Option<&Duration>| delay.map_or(0, |delay| millis(*delay)).unsigned_abs();
    report.tell(&format!("{key}_p50_ms"), &format!("{words}, p50"), ms(at(0.5)));
    report.tell(&format!("{key}_p99_ms"), &format!("{words}, p99"), ms(at(0.99)));
    let (most, within) = (ms(delays.last()), millis(SEEN_WITHIN).unsigned_abs());
    report.hold((&format!("{key}_max_ms"), &format!("{words}, most")), most, within);
}

fn edits(
    report: &mut Report,
    discord: &Discord,
    (begun, until): (Timestamp, Timestamp),
    (seen, messages): (&[Seen<'_>], &HashMap<String, Vec<String>>),
) {
    let mut edited: HashMap<String, Vec<i64>> = HashMap::new();
    for request in discord.requests().into_iter().filter(|one| one.method == "PATCH") {
        if let Some((_, message)) = request.path.rsplit_once("/messages/") {
            edited.entry(message.to_owned()).or_default().push(request.at_ms);
        }
    }
    let within = edited.values().flatten().filter(|at| (begun.0..until.0).contains(*at)).count();
    report.tell("edits", "edits of notices", within);
    let told = seen.iter().filter_map(|end| {
        let messages = messages.get(end.followed.build.build.as_str())?;
        let edits = messages.iter().filter_map(|message| edited.get(message)).flatten();
        let first = edits.filter(|at| **at >= end.followed.ends.0).min()?;
        Some(Timestamp(*first).since(end.followed.ends))
    });
    let told: Vec<_> = told.collect();
    report.tell("told", "ends that a notice told", told.len());
    let most = told.iter().max().copied().unwrap_or_default();
    report.tell("told_max_ms", "… after, ms, most", json!(millis(most)));
}
