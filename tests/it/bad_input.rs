//! Whatever is wrong with what was asked for: the person reads what is so and what to do next, and nothing is retried.

use std::time::Duration;

use sandbox::bkci::{BuildPlan, Endpoint, Fault, PipelineId, Right, Wrong};
use sandbox::discord::{Message, Typing};

use crate::support::{World, stories};

stories![
    an_id_that_leads_nowhere_is_told_with_where_to_copy_it,
    what_is_not_allowed_is_told_with_whom_to_ask,
    a_build_that_is_too_old_is_told_to_be_started_anew,
    an_answer_that_drips_is_given_up_in_time,
];

/// A pipeline in which the developer may do everything, and a failed build of it.
fn another_pipeline(world: &World, project: &str, rights: &[Right]) -> (PipelineId, String) {
    let pipeline = world.bkci.add_pipeline(project, "another");
    world.bkci.permit("dev.uid", project, &pipeline, rights);
    let build = world.bkci.add_build(BuildPlan::failing(&pipeline));
    (pipeline, build)
}

fn retry(world: &World, project: &str, pipeline: &PipelineId, build: &str) -> Typing {
    let typing = Typing::new(world.dev, world.channel, "retry").option("project", project);
    typing.option("pipeline", pipeline.0.as_str()).option("build", build)
}

/// Every one of these stands in the answer, which shows no body and no bare number where words are due.
fn assert_says(answer: &Message, parts: &[&str], case: &str) {
    let text = answer.text();
    for part in parts {
        assert!(text.contains(part), "{case}: {part:?} is missing in\n{text}");
    }
    assert!(!text.contains("cannot be empty") && !text.contains('{'), "{case}: a message as it came:\n{text}");
}

async fn an_id_that_leads_nowhere_is_told_with_where_to_copy_it(world: &mut World) -> anyhow::Result<()> {
    let (demo, build) = (world.pipeline.clone(), world.failing_build());
    let (theirs, their_build) = another_pipeline(world, "other", &[Right::View, Right::Execute]);
    let (second, second_build) = another_pipeline(world, "demo", &[Right::View, Right::Execute]);
    let nowhere = PipelineId("p-00000000000000000000000000000000".into());
    world.start().await?;
    let copy = "from the address of the build's page";
    let no_build: &[&str] = &["no such build in this pipeline", copy, "2101163 (HTTP 404)", "Request id"];
    let cases: &[(&str, Typing, &[&str])] = &[
        ("a build that nobody has", retry(world, "demo", &demo, "b-00000000000000000000000000000000"), no_build),
        ("a build of another pipeline", retry(world, "demo", &demo, &second_build), no_build),
        ("a build of another project", retry(world, "demo", &demo, &their_build), no_build),
        ("a pipeline of another project", retry(world, "demo", &theirs, &their_build), no_build),
        ("the right build of the wrong pipeline", retry(world, "demo", &second, &build), no_build),
        (
            "a pipeline that nobody has",
            retry(world, "demo", &nowhere, &build),
            &["or the pipeline does not exist", "403"],
        ),
        (
            "a project that nobody has",
            retry(world, "nowhere", &demo, &build),
            &["no such project", "English name", "404"],
        ),
    ];
    for (case, typing, parts) in cases {
        let answer = world.ask(typing.clone()).await?;
        assert_says(&answer, parts, case);
        assert_says(&answer, &["Nothing was done"], case);
    }
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    Ok(())
}

async fn what_is_not_allowed_is_told_with_whom_to_ask(world: &mut World) -> anyhow::Result<()> {
    let (demo, build) = (world.pipeline.clone(), world.failing_build());
    let (looked_at, of_looked_at) = another_pipeline(world, "demo", &[Right::View]);
    world.forgive("BK-CI does not accept how this bot is set up");
    world.start().await?;
    let may_look = world.ask(retry(world, "demo", &looked_at, &of_looked_at)).await?;
    assert_says(
        &may_look,
        &["Not retried", "no permission for this pipeline", "owner", "403", "Request id"],
        "view only",
    );
    world.bkci.change_pipeline(&demo, |pipeline| pipeline.locked = true);
    let locked = world.ask(retry(world, "demo", &demo, &build)).await?;
    assert_says(&locked, &["Not retried", "The pipeline is locked", "owner", "2101047", "Request id"], "locked");
    world.bkci.change_pipeline(&demo, |pipeline| pipeline.locked = false);
    world.bkci.change_project("demo", |project| project.enabled = false);
    let disabled = world.ask(retry(world, "demo", &demo, &build)).await?;
    assert_says(&disabled, &["Not retried", "The project is disabled", "administrator", "2101080"], "disabled");
    world.bkci.change_project("demo", |project| project.enabled = true);
    world.bkci.permit("dev.uid", "demo", &demo, &[]);
    for old in [false, true] {
        world.bkci.old_authorisation(old);
        let nothing = world.ask(retry(world, "demo", &demo, &build)).await?;
        let code = if old { "2101008" } else { "403" };
        assert_says(&nothing, &["Nothing was done", "no permission for this pipeline", "owner", code], "no right");
    }
    world.bkci.permit("dev.uid", "demo", &demo, &[Right::View, Right::Execute]);
    world.bkci.authorise_application("demo", false);
    // The service remembers for five minutes what it knew (bkci-api 2.2).
    world.pass(Duration::from_secs(301));
    let application = world.ask(retry(world, "demo", &demo, &build)).await?;
    assert_says(&application, &["not authorised for th", "bkci.app_code", "administrator"], "application");
    assert!(world.bkci.accepted_retries(&build).is_empty());
    Ok(())
}

async fn a_build_that_is_too_old_is_told_to_be_started_anew(world: &mut World) -> anyhow::Result<()> {
    let (demo, build) = (world.pipeline.clone(), world.failing_build());
    let old = world.bkci.add_build(BuildPlan::failing(&demo).age(Duration::from_secs(29 * 24 * 3600)));
    world.start().await?;
    let seen_here = world.ask(retry(world, "demo", &demo, &old)).await?;
    assert_says(&seen_here, &["Not retried", "more than 28 days ago", "Start a new build"], "seen here");
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    // A site may have set fewer days.
    world.bkci.order(Endpoint::Retry, Fault::answer(Wrong::Refusal(2_101_258)));
    let seen_there = world.ask(retry(world, "demo", &demo, &build)).await?;
    assert_says(&seen_there, &["Not retried", "28 days", "Start a new build", "2101258", "Request id"], "seen there");
    Ok(())
}

async fn an_answer_that_drips_is_given_up_in_time(world: &mut World) -> anyhow::Result<()> {
    world.set("bkci.connect_timeout_ms", "500");
    world.set("bkci.read_timeout_ms", "500");
    let (demo, build) = (world.pipeline.clone(), world.failing_build());
    let drips = || Fault::answer(Wrong::SlowDrip { every: Duration::from_millis(100) });
    world.start().await?;
    world.bkci.order(Endpoint::Detail, drips());
    let read = world.ask(retry(world, "demo", &demo, &build)).await?;
    assert_says(&read, &["Nothing was done", "BK-CI does not answer", "Try again"], "the read");
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    world.bkci.order(Endpoint::Retry, drips().after_acting());
    let typing = retry(world, "demo", &demo, &build);
    let interaction = world.discord.type_command(typing).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let found_out = |world: &World| {
        world.discord.answer(interaction).filter(|answer| answer.text().contains("the build shows the new attempt"))
    };
    world.pass_until("the truth", found_out).await;
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1);
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}
