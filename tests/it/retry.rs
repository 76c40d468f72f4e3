//! `/retry`: exactly what was meant, once, under the name of the person who asked.

use std::time::Duration;

use sandbox::bkci::{BuildPlan, Endpoint, Fail, JobPlan, Right, StagePlan, TaskPlan};
use sandbox::discord::{Fault, Gate, RequestRecord};

use crate::support::{World, stories_on_each_family};

stories_on_each_family![
    a_failed_build_is_retried_once_as_the_person_who_typed,
    the_credentials_can_go_in_a_header,
    one_task_is_retried_and_one_is_skipped,
    an_id_that_is_not_in_the_build_is_never_sent,
    a_part_is_named_as_people_name_it_and_only_ids_are_sent,
    only_failed_jobs_run_again_and_what_cannot_be_said_together_is_refused,
    a_running_and_an_old_build_are_refused_with_the_reason,
    a_build_of_another_pipeline_is_refused,
    bkcis_refusals_are_told_apart,
    an_interaction_delivered_twice_retries_once,
    two_people_who_want_the_same_retry_it_once,
    the_happy_path_costs_what_it_may,
    an_old_server_that_says_the_id_alone_is_enough,
    a_pasted_mess_is_refused_before_anything_is_read,
];

async fn a_failed_build_is_retried_once_as_the_person_who_typed(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let answer = world.ask(world.retry(world.dev, &build)).await?;
    let text = answer.text();
    assert!(!answer.ephemeral() && answer.mentions.is_empty(), "public, and it pings nobody");
    let number = world.bkci.build(&build).number.to_string();
    for part in [build.as_str(), number.as_str(), "nightly", "demo", &format!("<@{}>", world.dev)] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let accepted = world.bkci.accepted_retries(&build);
    assert_eq!(accepted.len(), 1);
    assert_eq!((accepted[0].uid.as_str(), &accepted[0].task_id, accepted[0].execute_count), ("dev.uid", &None, 2));
    Ok(())
}

async fn the_credentials_can_go_in_a_header(world: &mut World) -> anyhow::Result<()> {
    world.set("bkci.credentials", "header");
    let build = world.failing_build();
    world.start().await?;
    world.ask(world.retry(world.dev, &build)).await?;
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    assert!(world.bkci.requests().iter().all(|request| !request.raw_target.contains("app_secret")));
    Ok(())
}

fn lint_and_unit(world: &World) -> String {
    let lint = TaskPlan::new("Lint").id("e-11111111111111111111111111111111").step("lint");
    let lint = lint.fails(Fail::script("style")).with(|options| {
        options.manual_skip = Some(true);
        options.continue_when_failed = true;
    });
    let unit = TaskPlan::new("Unit").id("e-22222222222222222222222222222222").fails(Fail::script("red")).passes();
    let jobs = StagePlan::new("Test").job(JobPlan::new("lint").task(lint)).job(JobPlan::new("unit").task(unit));
    world
        .bkci
        .add_build(BuildPlan::new(&world.pipeline).started_by("dev.uid").age(Duration::from_secs(3600)).stage(jobs))
}

async fn one_task_is_retried_and_one_is_skipped(world: &mut World) -> anyhow::Result<()> {
    let first = lint_and_unit(world);
    let second = lint_and_unit(world);
    world.start().await?;
    let typing = world.retry(world.dev, &first).option("task", "e-22222222222222222222222222222222");
    assert!(world.ask(typing).await?.text().contains("Unit"));
    let retried = &world.bkci.accepted_retries(&first)[0];
    assert_eq!((retried.task_id.as_deref(), retried.skip), (Some("e-22222222222222222222222222222222"), false));

    let typing = world.retry(world.dev, &second).option("skip", "e-11111111111111111111111111111111");
    assert!(world.ask(typing).await?.text().contains("Lint"));
    let skipped = &world.bkci.accepted_retries(&second)[0];
    assert_eq!((skipped.task_id.as_deref(), skipped.skip), (Some("e-11111111111111111111111111111111"), true));
    Ok(())
}

async fn an_id_that_is_not_in_the_build_is_never_sent(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    for unknown in ["e-00000000000000000000000000000000", "stage-9", "unit", "7", "stage-1", "&skip=true"] {
        for option in ["task", "skip"] {
            let answer = world.ask(world.retry(world.dev, &build).option(option, unknown)).await?;
            assert!(!answer.text().contains("executeCount"), "{}", answer.text());
        }
    }
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    Ok(())
}

async fn a_part_is_named_as_people_name_it_and_only_ids_are_sent(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for (named, sent) in [
        ("unit tests", "task"),
        ("unit_test", "task"),
        (" Unit Tests ", "task"),
        ("linux", "1"),
        ("1", "1"),
        ("build", "stage-2"),
    ] {
        let build = world.failing_build();
        let task = world.bkci.build(&build).task("Unit tests").expect("a task").id.clone();
        let text = world.ask(world.retry(world.dev, &build).option("task", named)).await?.text();
        assert!(text.contains("Retry accepted") && text.contains(&build), "{named}: {text}");
        let retried = &world.bkci.accepted_retries(&build)[0];
        assert_eq!(retried.task_id.as_deref(), Some(if sent == "task" { task.as_str() } else { sent }), "{named}");
    }
    Ok(())
}

async fn only_failed_jobs_run_again_and_what_cannot_be_said_together_is_refused(
    world: &mut World,
) -> anyhow::Result<()> {
    let (first, second) = (lint_and_unit(world), lint_and_unit(world));
    world.start().await?;
    let text = world.ask(world.retry(world.dev, &first).option("failed_jobs", true)).await?.text();
    for part in ["Retry accepted", "failed jobs", "Test", "lint", "unit"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let retried = &world.bkci.accepted_retries(&first)[0];
    assert_eq!((retried.task_id.as_deref(), retried.failed_container, retried.skip), (Some("stage-2"), true, false));

    let before = world.bkci.requests().len();
    let retry = || world.retry(world.dev, &second);
    let answer = world.ask(retry().option("skip", "Lint").option("failed_jobs", true)).await?;
    assert!(answer.ephemeral() && answer.text().contains("not both"), "{}", answer.text());
    assert_eq!(world.bkci.requests().len(), before, "nothing was read or sent");

    // No is as good as nothing.
    let text = world.ask(retry().option("failed_jobs", false).option("preview", false)).await?.text();
    assert!(text.contains("the whole build"), "{text}");
    Ok(())
}

async fn a_running_and_an_old_build_are_refused_with_the_reason(world: &mut World) -> anyhow::Result<()> {
    let running = world.bkci.add_build(BuildPlan::running(&world.pipeline));
    let old = world.bkci.add_build(BuildPlan::failing(&world.pipeline).age(Duration::from_secs(29 * 24 * 3600)));
    world.start().await?;
    for (build, reason) in [(running, "running"), (old, "28 days")] {
        let text = world.ask(world.retry(world.dev, &build)).await?.text();
        assert!(text.to_lowercase().contains(reason), "{reason}:\n{text}");
    }
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    Ok(())
}

async fn a_build_of_another_pipeline_is_refused(world: &mut World) -> anyhow::Result<()> {
    let other = world.bkci.add_pipeline("demo", "other");
    world.bkci.permit("dev.uid", "demo", &other, &[Right::View, Right::Execute]);
    let build = world.bkci.add_build(BuildPlan::failing(&other));
    world.start().await?;
    let text = world.ask(world.retry(world.dev, &build)).await?.text();
    // v3 does not tell a build of another pipeline from one that is not there (bkci-api 7.2).
    assert!(text.contains("belongs to another pipeline") || text.contains("no such build"), "{text}");
    let text = world.ask(world.retry(world.dev, "b-00000000000000000000000000000000")).await?.text();
    assert!(text.contains("no such build"), "{text}");
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty());
    Ok(())
}

async fn bkcis_refusals_are_told_apart(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.map(world.stranger, "mallory.uid").await?;
    world.start().await?;
    let text = world.ask(world.retry(world.stranger, &build)).await?.text();
    assert!(text.contains("403"), "no permission:\n{text}");
    world.bkci.change_pipeline(&world.pipeline, |pipeline| pipeline.locked = true);
    let text = world.ask(world.retry(world.dev, &build)).await?.text();
    assert!(text.contains("2101047"), "locked:\n{text}");
    assert!(world.bkci.accepted_retries(&build).is_empty());
    // Refused is not sent again, and the goal is free for another try.
    world.bkci.change_pipeline(&world.pipeline, |pipeline| pipeline.locked = false);
    assert!(world.ask(world.retry(world.dev, &build)).await?.text().contains(&build));
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

async fn an_interaction_delivered_twice_retries_once(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let typing = world.retry(world.dev, &build);
    let interaction = world.discord.type_command(typing).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    world.discord.redeliver(interaction);
    world.answer(interaction, &build).await;
    world.discord.redeliver(interaction);
    world.stop().await?;
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1);
    Ok(())
}

async fn two_people_who_want_the_same_retry_it_once(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.map(world.admin, "ada.uid").await?;
    world.bkci.permit("ada.uid", "demo", &world.pipeline, &[Right::View, Right::Execute]);
    world.start().await?;
    let held = world.bkci.order(Endpoint::Retry, sandbox::bkci::Fault::hold_request());
    let first = world.discord.type_command(world.retry(world.dev, &build)).map_err(|r| anyhow::anyhow!("{r:?}"))?;
    world
        .bkci
        .wait_for("the first retry at BK-CI", |bkci| (!bkci.requests_of(Endpoint::Retry).is_empty()).then_some(()))
        .await;
    let second = world.ask(world.retry(world.admin, &build)).await?.text();
    assert!(second.contains(&format!("<@{}>", world.dev)), "says who was first:\n{second}");
    held.release();
    world.answer(first, &build).await;
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

/// What the store has written since it was opened.
async fn written(world: &World) -> anyhow::Result<u32> {
    let metrics = world.get("/metrics").await?.1;
    let line = metrics.lines().find_map(|line| line.strip_prefix("reprise_store_transactions_total "));
    Ok(line.unwrap_or_default().parse()?)
}

async fn the_happy_path_costs_what_it_may(world: &mut World) -> anyhow::Result<()> {
    let build = world.failing_build();
    world.start().await?;
    let for_it = |request: &RequestRecord| {
        ["/interactions/", "/webhooks/", "/channels/"].iter().any(|start| request.route.starts_with(start))
    };
    let before = written(world).await?;
    // The build is read while Discord has not yet answered the acknowledgement.
    let gate = Gate::default();
    let callback = "/interactions/{interaction_id}/{interaction_token}/callback";
    world.discord.order(Fault::on("POST", callback).hold_answer(&gate));
    let interaction = world.send(world.retry(world.dev, &build))?;
    world.bkci.wait_for("the read", |bkci| (!bkci.requests_of(Endpoint::Detail).is_empty()).then_some(())).await;
    gate.open();
    world.answer(interaction, &build).await;
    world.settled().await?;
    let transactions = written(world).await? - before;
    assert!((1..=4).contains(&transactions), "receipt, operation, conclusion, delivered: {transactions}");
    let calls: Vec<_> = world.discord.requests().into_iter().filter(for_it).map(|request| request.route).collect();
    assert_eq!(calls.len(), 2, "one acknowledgement and one edit: {calls:?}");
    assert_eq!(world.bkci.requests_of(Endpoint::Detail).len(), 1);
    assert_eq!(world.bkci.requests_of(Endpoint::Retry).len(), 1);
    Ok(())
}

async fn an_old_server_that_says_the_id_alone_is_enough(world: &mut World) -> anyhow::Result<()> {
    world.bkci.old_server(true);
    let build = world.failing_build();
    world.start().await?;
    let text = world.ask(world.retry(world.dev, &build)).await?.text();
    assert!(text.contains("Retry accepted") && text.contains(&build), "{text}");
    assert_eq!(world.bkci.accepted_retries(&build).len(), 1);
    Ok(())
}

async fn a_pasted_mess_is_refused_before_anything_is_read(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    for build in ["#", "0", "b-xyz", "../../../etc", "@everyone", "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e/x"] {
        let answer = world.ask(world.retry(world.dev, build)).await?;
        assert!(answer.ephemeral() && !answer.mention_everyone, "{}", answer.text());
    }
    let both = world.retry(world.dev, "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e").option("task", "a").option("skip", "b");
    assert!(world.ask(both).await?.ephemeral());
    assert!(world.bkci.requests().is_empty());
    Ok(())
}
