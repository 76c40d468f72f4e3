//! A pipeline by its name, a build by its number, as the latest one, or by a link: found by reading, never guessed.

use sandbox::bkci::{BuildPlan, Endpoint, Family, Fault, PipelineId, Right, Wrong};
use sandbox::discord::Typing;

use crate::support::{World, stories_on_each_family};

stories_on_each_family![
    a_build_is_found_by_every_name_people_have_for_it,
    a_link_that_leads_elsewhere_is_refused,
    a_name_or_number_that_leads_nowhere_says_what_to_do,
    a_project_too_large_to_search_is_told_so_and_an_old_number_is_found,
];

fn retry(world: &World, pipeline: &str, build: &str) -> Typing {
    let typing = Typing::new(world.dev, world.channel, "retry").option("project", "demo");
    typing.option("pipeline", pipeline).option("build", build)
}

fn link(project: &str, pipeline: &PipelineId, build: &str) -> String {
    format!("https://devops.example.com/console/pipeline/{project}/{pipeline}/detail/{build}/executeDetail/1")
}

async fn a_build_is_found_by_every_name_people_have_for_it(world: &mut World) -> anyhow::Result<()> {
    let [first, second, third, last] = [(); 4].map(|()| world.failing_build());
    world.start().await?;
    let id = world.pipeline.0.clone();
    let pasted = link("demo", &world.pipeline, &third);
    for (pipeline, build, expected, reads) in [
        (id.as_str(), first.as_str(), &first, 1),
        (&id, "#2", &second, 2),
        (&id, &pasted, &third, 1),
        ("nightly", "latest", &last, 3),
    ] {
        let before = world.bkci.requests().len();
        let text = world.ask(retry(world, pipeline, build)).await?.text();
        assert!(text.contains("Retry accepted") && text.contains(expected), "{pipeline} {build}: {text}");
        assert_eq!(world.bkci.accepted_retries(expected).len(), 1, "{pipeline} {build}");
        let asked: Vec<_> = world.bkci.requests().into_iter().skip(before).filter_map(|r| r.endpoint).collect();
        assert_eq!(asked.len(), reads + 1, "reads, and the retry: {asked:?}");
    }
    assert!(world.bkci.requests().iter().all(|request| request.uid.as_deref() == Some("dev.uid")));
    Ok(())
}

async fn a_link_that_leads_elsewhere_is_refused(world: &mut World) -> anyhow::Result<()> {
    let other = world.bkci.add_pipeline("demo", "other");
    world.bkci.permit("dev.uid", "demo", &other, &[Right::View, Right::Execute]);
    let build = world.failing_build();
    world.start().await?;
    let id = world.pipeline.0.clone();
    for (link, part) in
        [(link("others", &world.pipeline, &build), "`others`"), (link("demo", &other, &build), &other.0)]
    {
        let answer = world.ask(retry(world, &id, &link)).await?;
        assert!(answer.ephemeral() && answer.text().contains("link leads"), "{}", answer.text());
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    assert!(world.bkci.requests().is_empty(), "that much is seen without reading");
    let text = world.ask(retry(world, "nightly", &link("demo", &other, &build))).await?.text();
    assert!(text.contains("link leads") && text.contains("nightly"), "{text}");
    assert!(world.bkci.requests_of(Endpoint::Detail).is_empty());
    Ok(())
}

async fn a_name_or_number_that_leads_nowhere_says_what_to_do(world: &mut World) -> anyhow::Result<()> {
    let twins = [(); 2].map(|()| world.bkci.add_pipeline("demo", "twins"));
    let empty = world.bkci.add_pipeline("demo", "empty");
    world.bkci.permit("dev.uid", "demo", &empty, &[Right::View]);
    world.bkci.add_pipeline("demo", "my secret nightly");
    let build = world.failing_build();
    world.start().await?;
    let nightly = world.pipeline.0.clone();
    for (pipeline, number, parts) in [
        ("night", "1", vec!["exact", "nightly", &nightly]),
        ("weekly", "1", vec!["no pipeline called", "weekly"]),
        ("twins", "1", vec!["several", &twins[0].0, &twins[1].0]),
        (&nightly, "#77", vec!["no build #77"]),
        (&empty.0, "latest", vec!["no build yet"]),
        ("@everyone", "1", vec!["`@everyone`"]),
    ] {
        let answer = world.ask(retry(world, pipeline, number)).await?;
        let text = answer.text();
        assert!(
            !answer.mention_everyone && parts.iter().all(|part| text.contains(part)),
            "{pipeline} {number}: {text}"
        );
        assert!(!text.contains("secret"), "nobody is told of what they may not look at: {text}");
    }
    for (wrong, part) in [(Wrong::Reset, "does not answer"), (Wrong::Refusal(2_101_038), "no such pipeline any more")] {
        world.bkci.order(Endpoint::History, Fault::answer(wrong));
        let text = world.ask(retry(world, &nightly, "latest")).await?.text();
        assert!(text.contains(part), "{text}");
    }
    assert!(world.bkci.requests_of(Endpoint::Retry).is_empty() && world.bkci.accepted_retries(&build).is_empty());
    Ok(())
}

async fn a_project_too_large_to_search_is_told_so_and_an_old_number_is_found(world: &mut World) -> anyhow::Result<()> {
    for number in 0..1000 {
        world.bkci.add_pipeline("demo", &format!("filler {number}"));
    }
    let old = world.failing_build();
    for _ in 0..250 {
        world.bkci.add_build(BuildPlan::new(&world.pipeline).started_by("dev.uid"));
    }
    world.start().await?;
    let text = world.ask(retry(world, "nightly", "1")).await?.text();
    if world.family() == Family::V3 {
        assert_eq!(world.bkci.requests_of(Endpoint::Pipelines).len(), 10, "no more pages are read");
        assert!(text.contains("more pipelines than") && text.contains(&world.pipeline.0), "{text}");
        assert!(world.bkci.accepted_retries(&old).is_empty(), "the one that was seen may not be the one that is meant");
        let id = world.pipeline.0.clone();
        assert!(world.ask(retry(world, &id, "1")).await?.text().contains("Retry accepted"));
        assert_eq!(world.bkci.requests_of(Endpoint::History).len(), 2, "the first page tells where to look");
    }
    assert_eq!(world.bkci.accepted_retries(&old).len(), 1);
    Ok(())
}
