//! Fills BK-CI's double with builds that are on their way, and the store with what follows them, as it stands once all
//! of them have been looked at.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use reprise::bkci::{BuildsOf, Client};
use reprise::model::ids::{BuildId, ChannelId, GuildId, PipelineId, ProjectId, Uid};
use reprise::model::watch::Hears;
use reprise::model::{BuildRef, Locale, Place, Timestamp};
use reprise::reply::Notice;
use reprise::store::Store;
use reprise::store::looks::{Findings, Look, Next};
use reprise::store::notices::New;
use sandbox::bkci::{BuildPlan, Fail, JobPlan, Right, StagePlan, TaskPlan};
use sqlx::{Connection as _, SqliteConnection};

use crate::scene::{PROJECT, Scene, UID};
use crate::{Api, Arguments};

/// A claim for filling in is not contested.
const LEASE: Duration = Duration::from_mins(5);

/// The share of a circle that spreads whatever is counted evenly, in any part of the count.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// A build stays in the queue no longer than this.
const QUEUE: Duration = Duration::from_secs(2);

/// A build that is followed.
#[derive(Clone, Debug)]
pub struct Followed {
    pub build: BuildRef,
    /// When it will end, by the clock.
    pub ends: Timestamp,
    /// So long ago was it begun.
    age: Duration,
    noticed: bool,
}

/// Fills both.
pub async fn fill(scene: &Scene, arguments: &Arguments) -> anyhow::Result<Vec<Followed>> {
    let followed = builds(scene, arguments)?;
    let store = scene.store().await?;
    let client = Client::new(reprise::run::bkci_options(&scene.settings(Api::V4, &[])?))?;
    rows(scene, &client, &followed).await?;
    if arguments.watched {
        watches(scene, &followed).await?;
    }
    notices(scene, &store, (&client, &followed), arguments).await?;
    store.close().await;
    Ok(followed)
}

fn builds(scene: &Scene, arguments: &Arguments) -> anyhow::Result<Vec<Followed>> {
    let length = Duration::from_secs(60 * arguments.length);
    let pipelines: Vec<_> = (0..arguments.pipelines.max(1))
        .map(|number| {
            let pipeline = scene.bkci.add_pipeline(PROJECT, &format!("pipeline-{number}"));
            scene.bkci.permit(UID, PROJECT, &pipeline, &[Right::View, Right::Execute]);
            pipeline
        })
        .collect();
    let every = (arguments.builds / arguments.noticed.max(1)).max(1);
    let project: ProjectId = PROJECT.parse()?;
    (0..arguments.builds)
        .map(|number| {
            let pipeline = &pipelines[number % pipelines.len()];
            let age = length.mul_f64((number as f64 * GOLDEN).fract()).max(QUEUE);
            let build = scene.bkci.add_build(plan(pipeline, number, length).started_by(UID).age(age));
            let started = scene.bkci.build(&build).start_ms.context("it has started")?;
            let build = BuildRef { project: project.clone(), pipeline: pipeline.0.parse()?, build: build.parse()? };
            let noticed = arguments.noticed > 0 && number % every == 0 && number / every < arguments.noticed;
            Ok(Followed { build, ends: Timestamp(started).plus(length), age, noticed })
        })
        .collect()
}

/// Six stages; every other build fails in its last one.
fn plan(pipeline: &sandbox::bkci::PipelineId, number: usize, length: Duration) -> BuildPlan {
    let stage = |index: u32| {
        let task = TaskPlan::new("Work").takes(length / 6);
        let task =
            if index == 5 && number.is_multiple_of(2) { task.fails(Fail::script("2 of 90 failed")) } else { task };
        StagePlan::new(&format!("Stage {index}")).job(JobPlan::new("linux").task(task))
    };
    (0..6).map(stage).fold(BuildPlan::new(pipeline), BuildPlan::stage)
}

/// Looks and follows. No way of the store's leads here but tens of thousands of retries.
async fn rows(scene: &Scene, client: &Client, followed: &[Followed]) -> anyhow::Result<()> {
    let uid: Uid = UID.parse()?;
    let mut of: HashMap<&PipelineId, Vec<&Followed>> = HashMap::new();
    for one in followed {
        of.entry(&one.build.pipeline).or_default().push(one);
    }
    let mut database = SqliteConnection::connect(&scene.file).await?;
    let mut tx = database.begin().await?;
    for (pipeline, followed) in of {
        let project = &followed[0].build.project;
        let look = format!("{project}/{pipeline}/{UID}");
        let now = scene.clock.now();
        sqlx::query("INSERT INTO look (id, project, pipeline, as_user, mark_ms, due_ms) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(&look)
            .bind(project.as_str())
            .bind(pipeline.as_str())
            .bind(UID)
            .bind(now.0)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let ids: Vec<_> = followed.iter().map(|one| one.build.build.clone()).collect();
        let mut seen: HashMap<BuildId, String> = HashMap::new();
        for ids in ids.chunks(reprise::bkci::BATCH) {
            let listed = client.builds_named(BuildsOf { uid: &uid, project, pipeline }, ids).await?;
            seen.extend(listed.iter().map(|build| (build.id.clone(), reprise::follower::print(build))));
        }
        for one in followed {
            let since = now.0 - reprise::model::millis(one.age);
            let sql = "INSERT INTO follow (build, look, user_id, attempt, seen, read_ms, since_ms)
                       VALUES (?, ?, ?, 1, ?, ?, ?)";
            sqlx::query(sql)
                .bind(one.build.build.as_str())
                .bind(&look)
                .bind(scene.person.cast_signed())
                .bind(seen.get(&one.build.build))
                .bind(now.0 - reprise::model::millis(one.age / 4))
                .bind(since)
                .execute(&mut *tx)
                .await?;
        }
    }
    tx.commit().await?;
    database.close().await?;
    Ok(())
}

/// One watch of every pipeline, in a channel of its own.
async fn watches(scene: &Scene, followed: &[Followed]) -> anyhow::Result<()> {
    let mut pipelines: Vec<_> = followed.iter().map(|one| &one.build.pipeline).collect();
    pipelines.sort();
    pipelines.dedup();
    let mut database = SqliteConnection::connect(&scene.file).await?;
    for pipeline in pipelines {
        let channel = scene.discord.add_channel(scene.guild, "watching");
        let sql =
            "INSERT INTO watch (id, guild, channel, project, pipeline, pipeline_name, look, as_user, user_id, hears,
                       mention_starter, locale, since_ms, added_ms, state)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, FALSE, 'en', ?, ?, 'on')";
        let (channel, guild) = (channel.cast_signed(), scene.guild.cast_signed());
        let (look, now) = (format!("{PROJECT}/{pipeline}/{UID}"), scene.clock.now().0);
        sqlx::query(sql)
            .bind(format!("{channel}/{PROJECT}/{pipeline}"))
            .bind(guild)
            .bind(channel)
            .bind(PROJECT)
            .bind(pipeline.as_str())
            .bind(pipeline.as_str())
            .bind(look)
            .bind(UID)
            .bind(scene.person.cast_signed())
            .bind(Hears::FailedAndFixed.as_str())
            .bind(now)
            .bind(now)
            .execute(&mut database)
            .await?;
    }
    database.close().await?;
    Ok(())
}

/// Has the builds' notices made, as a look that found them would.
async fn notices(
    scene: &Scene,
    store: &Store,
    (client, followed): (&Client, &[Followed]),
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let channels: Vec<_> = (0..arguments.channels.max(1))
        .map(|number| scene.discord.add_channel(scene.guild, &number.to_string()))
        .collect();
    let uid: Uid = UID.parse()?;
    let now = scene.clock.now();
    let mut looks: HashMap<PipelineId, Look> = HashMap::new();
    while let Some(look) = store.claim_look(now, LEASE).await? {
        looks.insert(look.pipeline.clone(), look);
    }
    let mut posts: HashMap<PipelineId, Findings> = HashMap::new();
    for (number, one) in followed.iter().filter(|one| one.noticed).enumerate() {
        let read = client.build_detail(&uid, &one.build).await?;
        let channel = ChannelId(channels[number % channels.len()]);
        let place = Place { guild: GuildId(scene.guild), channel };
        let facts = Notice::of(&one.build, &read, client.build_page(&one.build, None));
        let new = New { place, locale: Locale::En, facts, broken: false };
        posts.entry(one.build.pipeline.clone()).or_insert_with(|| Findings::new(next(now))).posts.push((new, None));
    }
    for (pipeline, look) in looks {
        let findings = posts.remove(&pipeline).unwrap_or_else(|| Findings::new(next(now)));
        store.record_look(&look, &findings, now).await?;
    }
    Ok(())
}

fn next(now: Timestamp) -> Next {
    Next { due: now, mark: Some(now), refused: 0, failed: 0 }
}
