//! While somebody types: projects, pipelines, builds and parts of builds to choose from, as they themselves see them.

use std::time::{Duration, Instant};

use sandbox::bkci::{
    BuildPlan, Endpoint, Fail, Family, Fault, JobPlan, On, Right, StagePlan, TaskPlan, Trigger, Webhook, Wrong,
};
use sandbox::discord::Typing;

use crate::support::{World, stories_on_each_family};

stories_on_each_family![
    from_project_to_task_everything_can_be_chosen,
    a_pipeline_and_a_build_that_were_typed_by_name_lead_on,
    nobody_sees_what_another_one_sees,
    what_was_read_lately_is_not_read_again,
    what_takes_long_is_there_for_the_next_keystroke,
    a_large_project_is_searched_or_read_on_in_the_background,
    one_call_to_bkci_is_waited_for_and_not_two,
    whatever_goes_wrong_there_is_an_answer,
    hostile_names_are_only_text,
    every_command_that_names_a_build_or_pipeline_suggests_them,
    a_task_whose_log_is_wanted_is_one_that_ran_the_failed_ones_first,
];

fn typing(world: &World, options: &[(&str, &str)]) -> Typing {
    typing_as(world, world.dev, options)
}

fn typing_as(world: &World, user: u64, options: &[(&str, &str)]) -> Typing {
    let typing = Typing::new(user, world.channel, "retry");
    options.iter().fold(typing, |typing, (name, value)| typing.option(name, *value))
}

/// The suggestions for the last of the options: names and values.
async fn suggested(world: &World, typing: Typing) -> anyhow::Result<Vec<(String, String)>> {
    let focused = typing.options.last().map(|(name, _)| name.clone()).unwrap_or_default();
    let choices = world.discord.autocomplete(typing, &focused).await.map_err(|why| anyhow::anyhow!("{why:?}"))?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok(choices.iter().map(|choice| (text(&choice["name"]), text(&choice["value"]))).collect())
}

/// Types on until the list holds so many: on a busy machine the first keystroke may come too early.
async fn suggests(world: &World, options: &[(&str, &str)], count: usize) -> anyhow::Result<Vec<(String, String)>> {
    suggests_to(world, world.dev, options, count).await
}

async fn suggests_to(
    world: &World,
    user: u64,
    options: &[(&str, &str)],
    count: usize,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for _ in 0..20 {
        found = suggested(world, typing_as(world, user, options)).await?;
        if found.len() == count {
            return Ok(found);
        }
    }
    anyhow::bail!("{options:?} suggests {found:?} and not {count}\n{:?}", world.bkci.requests())
}

/// Lint failed and may be skipped, Unit failed and may not.
fn lint_and_unit(world: &World) -> String {
    let lint = TaskPlan::new("Lint").id("e-11111111111111111111111111111111").step("lint");
    let lint = lint.fails(Fail::script("bad style")).with(|options| {
        options.manual_skip = Some(true);
        options.continue_when_failed = true;
    });
    let unit = TaskPlan::new("Unit").id("e-22222222222222222222222222222222").fails(Fail::script("exit 1"));
    let stage = StagePlan::new("Test").job(JobPlan::new("lint").task(lint)).job(JobPlan::new("unit").task(unit));
    let plan = BuildPlan::new(&world.pipeline).started_by("dev.uid").age(Duration::from_secs(3600)).stage(stage);
    world.bkci.add_build(plan.by(Trigger::Webhook(Webhook::push("dev.uid", "main", "abc", "fix"))))
}

async fn from_project_to_task_everything_can_be_chosen(world: &mut World) -> anyhow::Result<()> {
    let first = lint_and_unit(world);
    let good = world.bkci.add_build(BuildPlan::succeeding(&world.pipeline));
    let running = world.bkci.add_build(BuildPlan::running(&world.pipeline));
    let last = world.failing_build();
    world.start().await?;
    let pipeline = world.pipeline.0.clone();
    assert_eq!(suggests(world, &[("project", "")], 1).await?, [("demo".to_owned(), "demo".to_owned())]);
    for typed in ["", "NIGHT", "p-", &pipeline] {
        let found = suggests(world, &[("project", "demo"), ("pipeline", typed)], 1).await?;
        assert_eq!(found, [("nightly".to_owned(), pipeline.clone())], "{typed}");
    }

    let chosen = [("project", "demo"), ("pipeline", pipeline.as_str())];
    let builds = suggests(world, &[&chosen[..], &[("build", "")]].concat(), 4).await?;
    let values: Vec<&str> = builds.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, [&last, &first, &running, &good], "failed first, the latest of them first");
    assert!(builds[1].0.starts_with("#1 · failed · 60 min ago · main"), "{builds:?}");
    for (typed, expected) in [("#1", &first), ("main", &first), ("latest", &last), ("3", &running)] {
        let found = suggested(world, typing(world, &[&chosen[..], &[("build", typed)]].concat())).await?;
        assert_eq!(found.first().map(|(_, value)| value), Some(expected), "{typed}: {found:?}");
    }

    let chosen = [&chosen[..], &[("build", first.as_str())]].concat();
    let tasks = suggests(world, &[&chosen[..], &[("task", "")]].concat(), 5).await?;
    let names: Vec<&str> = tasks.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "Lint · lint · bad style",
        "Unit · unit · exit 1",
        "stage Test · Lint, Unit",
        "job lint · Lint",
        "job unit · Unit",
    ];
    assert_eq!(names, expected);
    assert_eq!(suggests(world, &[&chosen[..], &[("task", "exit")]].concat(), 1).await?[0], tasks[1]);
    let skips = suggests(world, &[&chosen[..], &[("skip", "")]].concat(), 1).await?;
    assert_eq!(skips, [("Lint · lint · bad style".to_owned(), "e-11111111111111111111111111111111".to_owned())]);

    assert!(world.bkci.requests().iter().all(|request| request.uid.as_deref() == Some("dev.uid")));
    let before = world.bkci.requests().len();
    world.ask(typing(world, &[&chosen[..], &[("task", tasks[1].1.as_str())]].concat())).await?;
    assert_eq!(world.bkci.requests().len(), before + 2, "what was chosen costs one read, and the retry");
    assert_eq!(world.bkci.accepted_retries(&first)[0].task_id.as_deref(), Some(tasks[1].1.as_str()));
    Ok(())
}

async fn a_pipeline_and_a_build_that_were_typed_by_name_lead_on(world: &mut World) -> anyhow::Result<()> {
    let build = lint_and_unit(world);
    world.start().await?;
    let link = format!("https://h/console/pipeline/demo/{}/detail/{build}", world.pipeline);
    for named in ["1", "#1", "latest", &link] {
        let options = [("project", "demo"), ("pipeline", "nightly"), ("build", named), ("skip", "")];
        assert_eq!(suggests(world, &options, 1).await?[0].0, "Lint · lint · bad style", "{named}");
    }
    let builds = suggests(world, &[("project", "demo"), ("pipeline", "nightly"), ("build", "")], 1).await?;
    assert_eq!(builds[0].1, build);
    for nowhere in [
        [("project", "demo"), ("pipeline", "weekly"), ("build", "")].as_slice(),
        &[("project", "demo"), ("pipeline", "nightly"), ("build", "7"), ("task", "")],
        &[("project", "a/b"), ("pipeline", "")],
        &[("pipeline", "")],
        &[("build", "")],
        &[("task", "")],
    ] {
        assert_eq!(suggested(world, typing(world, nowhere)).await?, [], "{nowhere:?}");
    }
    Ok(())
}

async fn nobody_sees_what_another_one_sees(world: &mut World) -> anyhow::Result<()> {
    let theirs = world.bkci.add_pipeline("demo", "secret");
    world.bkci.permit("mallory.uid", "demo", &theirs, &[Right::View]);
    world.failing_build();
    world.start().await?;
    let (projects, pipelines) = ([("project", "")], [("project", "demo"), ("pipeline", "")]);
    assert_eq!(suggested(world, typing_as(world, world.stranger, &projects)).await?, [], "not mapped");
    assert!(world.bkci.requests().is_empty(), "nothing is read for somebody without a UID");
    let pipeline = world.pipeline.0.clone();
    let builds = [("project", "demo"), ("pipeline", pipeline.as_str()), ("build", "")];
    assert_eq!(suggests(world, &pipelines, 1).await?[0].0, "nightly");
    suggests(world, &builds, 1).await?;
    world.map(world.stranger, "mallory.uid").await?;
    assert_eq!(suggests_to(world, world.stranger, &pipelines, 1).await?[0].0, "secret");
    for _ in 0..3 {
        let found = suggested(world, typing_as(world, world.stranger, &builds)).await?;
        assert_eq!(found, [], "what dev was shown stays with dev");
    }
    Ok(())
}

async fn what_was_read_lately_is_not_read_again(world: &mut World) -> anyhow::Result<()> {
    world.failing_build();
    world.start().await?;
    let pipeline = world.pipeline.0.clone();
    let (projects, pipelines) = ([("project", "d")], [("project", "demo"), ("pipeline", "")]);
    let builds = [("project", "demo"), ("pipeline", pipeline.as_str()), ("build", "")];
    let asked = |world: &World| {
        [Endpoint::Projects, Endpoint::Pipelines, Endpoint::History].map(|of| world.bkci.requests_of(of).len())
    };
    let type_all = async |world: &World| {
        suggests(world, &projects, 1).await?;
        suggests(world, &pipelines, 1).await?;
        suggests(world, &[("project", "demo"), ("pipeline", "tly")], 1).await?;
        suggests(world, &builds, 1).await
    };
    type_all(world).await?;
    type_all(world).await?;
    assert_eq!(asked(world)[..2], [1, 1], "also what narrows a list down that is known whole");
    world.pass(Duration::from_secs(4));
    let before = asked(world)[2];
    type_all(world).await?;
    assert_eq!(asked(world), [1, 1, before + 1], "builds live three seconds");
    world.pass(Duration::from_secs(60));
    type_all(world).await?;
    assert_eq!(asked(world)[..2], [2, 2], "projects and pipelines live a minute");
    Ok(())
}

async fn what_takes_long_is_there_for_the_next_keystroke(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let options = [("project", "demo"), ("pipeline", "")];
    let held = world.bkci.order(Endpoint::Pipelines, Fault::hold_answer());
    assert_eq!(suggested(world, typing(world, &options)).await?, [], "nobody waits for it");
    assert_eq!(suggested(world, typing(world, &options)).await?, [], "nor asks for it twice");
    held.release();
    suggests(world, &options, 1).await?;
    assert_eq!(world.bkci.requests_of(Endpoint::Pipelines).len(), 1);
    // What is known stands while it is read anew.
    world.pass(Duration::from_secs(61));
    let held = world.bkci.order(Endpoint::Pipelines, Fault::hold_answer());
    assert_eq!(suggested(world, typing(world, &options)).await?.len(), 1);
    held.release();
    Ok(())
}

async fn a_large_project_is_searched_or_read_on_in_the_background(world: &mut World) -> anyhow::Result<()> {
    for number in 0..250 {
        let filler = world.bkci.add_pipeline("demo", &format!("filler {number}"));
        world.bkci.permit("dev.uid", "demo", &filler, &[Right::View]);
    }
    let last = world.bkci.add_pipeline("demo", "zebra");
    world.bkci.permit("dev.uid", "demo", &last, &[Right::View]);
    world.start().await?;
    suggests(world, &[("project", "demo"), ("pipeline", "")], 25).await?;
    let found = suggests(world, &[("project", "demo"), ("pipeline", "zeb")], 1).await?;
    assert_eq!(found, [("zebra".to_owned(), last.0.clone())]);
    let pages = world.bkci.requests_of(Endpoint::Pipelines);
    match world.family() {
        Family::V3 => assert_eq!(pages.len(), 3, "every page once"),
        Family::V4 | Family::V4Backend => {
            assert_eq!(pages.last().and_then(|page| page.parameter("filterByPipelineName")), Some("zeb"));
        }
    }
    Ok(())
}

async fn one_call_to_bkci_is_waited_for_and_not_two(world: &mut World) -> anyhow::Result<()> {
    world.failing_build();
    world.start().await?;
    let slow = world.bkci.order_always(On::Any, Fault::delay_answer(Duration::from_millis(200)));
    // A busy machine may be late itself: one of a few tries is enough.
    let mut times = Vec::new();
    for _ in 0..8 {
        world.pass(Duration::from_secs(61));
        let begun = Instant::now();
        let found = suggested(world, typing(world, &[("project", "demo"), ("pipeline", "")])).await?;
        times.push((found.len(), begun.elapsed().as_millis()));
        if found.len() == 1 && begun.elapsed() < Duration::from_millis(300) {
            break;
        }
    }
    assert!(times.last().is_some_and(|(found, took)| *found == 1 && *took < 300), "{times:?}");
    // A name must be looked up before its builds can be: that is for the next keystroke.
    world.pass(Duration::from_secs(61));
    let options = [("project", "demo"), ("pipeline", "nightly"), ("build", "")];
    let begun = Instant::now();
    assert_eq!(suggested(world, typing(world, &options)).await?, []);
    assert!(begun.elapsed() < Duration::from_millis(2_500));
    suggests(world, &options, 1).await?;
    slow.withdraw();
    Ok(())
}

async fn whatever_goes_wrong_there_is_an_answer(world: &mut World) -> anyhow::Result<()> {
    world.start().await?;
    let options = [("project", "demo"), ("pipeline", "")];
    for wrong in [
        Wrong::Reset,
        Wrong::ServerError,
        Wrong::Html200,
        Wrong::Truncated,
        Wrong::RateLimited { reset_s: 9 },
        Wrong::Gateway(1_640_301),
        Wrong::PlainForbidden,
        Wrong::Refusal(2_101_038),
    ] {
        let order = world.bkci.order_always(Endpoint::Pipelines, Fault::answer(wrong.clone()));
        assert_eq!(suggested(world, typing(world, &options)).await?, [], "{wrong:?}");
        order.withdraw();
        world.pass(Duration::from_secs(4));
    }
    world.bkci.down().await?;
    assert_eq!(suggested(world, typing(world, &options)).await?, []);
    world.bkci.up().await?;
    world.pass(Duration::from_secs(4));
    suggests(world, &options, 1).await?;
    // What somebody may not see any more is not shown to them any more.
    world.failing_build();
    let pipeline = world.pipeline.0.clone();
    let builds = [("project", "demo"), ("pipeline", pipeline.as_str()), ("build", "")];
    suggests(world, &builds, 1).await?;
    world.bkci.permit("dev.uid", "demo", &world.pipeline, &[]);
    world.pass(Duration::from_secs(4));
    suggests(world, &builds, 0).await?;
    world.pass(Duration::from_secs(61));
    suggests(world, &options, 0).await?;
    Ok(())
}

async fn hostile_names_are_only_text(world: &mut World) -> anyhow::Result<()> {
    let name = format!("@everyone **{}**\u{202e}", "流水线".repeat(60));
    let hostile = world.bkci.add_pipeline("demo", &name);
    world.bkci.permit("dev.uid", "demo", &hostile, &[Right::View]);
    world.bkci.add_build(BuildPlan::failing(&hostile).message("a\n# b [x](https://e.com)"));
    world.start().await?;
    let found = suggests(world, &[("project", "demo"), ("pipeline", "@every")], 1).await?;
    assert!(found[0].0.starts_with("@everyone **流水线") && !found[0].0.contains('\u{202e}'), "{found:?}");
    let options = [("project", "demo"), ("pipeline", hostile.0.as_str()), ("build", "")];
    suggests(world, &options, 1).await?;
    let found = suggested(world, typing(world, &options).locale("zh-CN")).await?;
    assert_eq!(found[0].0, "#1 · 失败 · 60 分钟前 · a # b [x](https://e.com)");
    Ok(())
}

/// The suggestions of another command for the last of the options.
async fn suggested_by(world: &World, command: &str, options: &[(&str, &str)]) -> anyhow::Result<Vec<String>> {
    let typing = Typing { command: command.to_owned(), ..typing(world, options) };
    // On a busy machine the first keystroke may come too early.
    for _ in 0..20 {
        let found = suggested(world, typing.clone()).await?;
        if !found.is_empty() {
            return Ok(found.into_iter().map(|(_, value)| value).collect());
        }
    }
    Ok(Vec::new())
}

async fn every_command_that_names_a_build_or_pipeline_suggests_them(world: &mut World) -> anyhow::Result<()> {
    let build = lint_and_unit(world);
    world.start().await?;
    let pipeline = world.pipeline.0.clone();
    let options = [("project", "demo"), ("pipeline", pipeline.as_str()), ("build", "")];
    for command in ["build status", "build log", "build stop", "watch add", "watch remove"] {
        assert_eq!(suggested_by(world, command, &[("project", "")]).await?, ["demo"], "{command}");
        assert_eq!(suggested_by(world, command, &[("project", "demo"), ("pipeline", "ni")]).await?, [&*pipeline]);
        if command.starts_with("build") {
            assert_eq!(suggested_by(world, command, &options).await?, [&*build], "{command}");
        }
    }
    Ok(())
}

async fn a_task_whose_log_is_wanted_is_one_that_ran_the_failed_ones_first(world: &mut World) -> anyhow::Result<()> {
    let compile = TaskPlan::new("Compile").id("e-33333333333333333333333333333333");
    let unit = TaskPlan::new("Unit").id("e-22222222222222222222222222222222").fails(Fail::script("exit 1"));
    let deploy = TaskPlan::new("Deploy").id("e-44444444444444444444444444444444");
    let job = JobPlan::new("linux").task(compile).task(unit).task(deploy);
    let plan = BuildPlan::new(&world.pipeline).started_by("dev.uid").age(Duration::from_secs(3600));
    let build = world.bkci.add_build(plan.stage(StagePlan::new("Test").job(job)));
    let passed = world.bkci.add_build(BuildPlan::succeeding(&world.pipeline).age(Duration::from_secs(3600)));
    world.start().await?;
    let pipeline = world.pipeline.0.clone();
    let of = |build| [("project", "demo"), ("pipeline", pipeline.as_str()), ("build", build), ("task", "")];
    let logged = suggested_by(world, "build log", &of(&build)).await?;
    assert_eq!(logged, ["e-22222222222222222222222222222222", "e-33333333333333333333333333333333"]);
    assert!(!suggested_by(world, "build log", &of(&passed)).await?.is_empty(), "nothing failed, and yet it has logs");
    let by_name = [&of(&build)[..3], &[("task", "comp")]].concat();
    assert_eq!(suggested_by(world, "build log", &by_name).await?, ["e-33333333333333333333333333333333"]);
    Ok(())
}
