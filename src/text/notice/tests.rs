mod acts;
mod facts;
mod limits;

use super::*;
use crate::model::Locale;
use crate::model::build::{ErrorKind, Problem};
use crate::model::ids::{ChannelId, GuildId, MessageId, RoleId};
use crate::model::scope::{Kind, Part, Scope};
use crate::reply::notice::{Acts, Attempt, Failed, Ping, Place};
use crate::reply::{About, Outcome, Reply, Verb};
use crate::text::tests::{about, read_in};
use crate::text::{loader, say};
use facts::{acts, attempt, bare, second_attempt, stage, usual, usual_failure};
pub(in crate::text) use facts::{notices, pauses};

fn read(notice: Notice, locale: Locale) -> String {
    read_in(&Reply::Notice(Box::new(notice)), locale)
}

#[test]
fn a_failure_says_first_where_and_why() {
    insta::assert_snapshot!(read(usual(State::Failed(usual_failure())), Locale::En), @r"
    Failed: nightly #128
    **Test › linux › Unit**
    User error 2199011: script exited with 1
    ```
    test totals::half_to_even ... FAILED
    error: 1 of 212 tests failed
    ```
    `release/1.2` · Round totals half to even \(\#45\)
    Started by `chen` · took 3 min 20 s
    Stages: ✅ Build · 1 min 20 s
    ❌ **Test** · 2 min 0 s
    ▫️ Deploy
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 1 · `demo` · nightly
    ");
    insta::assert_snapshot!(read(usual(State::Failed(usual_failure())), Locale::ZhCn), @r"
    失败：nightly #128
    **Test › linux › Unit**
    用户错误 2199011：script exited with 1
    ```
    test totals::half_to_even ... FAILED
    error: 1 of 212 tests failed
    ```
    `release/1.2` · Round totals half to even \(\#45\)
    由 `chen` 触发 · 耗时 3 分 20 秒
    阶段: ✅ Build · 1 分 20 秒
    ❌ **Test** · 2 分 0 秒
    ▫️ Deploy
    构建 ID: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · 第 1 次执行 · `demo` · nightly
    ");
    insta::assert_snapshot!(read(usual(State::Failed(usual_failure())), Locale::Ja), @r"
    失敗：nightly #128
    **Test › linux › Unit**
    ユーザーエラー 2199011：script exited with 1
    ```
    test totals::half_to_even ... FAILED
    error: 1 of 212 tests failed
    ```
    `release/1.2` · Round totals half to even \(\#45\)
    開始：`chen` · 所要時間 3 分 20 秒
    ステージ: ✅ Build · 1 分 20 秒
    ❌ **Test** · 2 分 0 秒
    ▫️ Deploy
    ビルド ID: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · 1 回目の実行 · `demo` · nightly
    ");
}

/// Messages leave BK-CI's permissions as logs do.
#[test]
fn a_secret_in_a_message_is_not_told() {
    let secret = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    let message = format!("\u{1b}[31mpush refused\u{1b}[0m: https://bot:{secret}@git.example.com, password={secret}");
    let problem = Some(Problem { kind: ErrorKind::ThirdParty, code: 1, message: message.clone() });
    let mut failed = usual_failure();
    failed.places = vec![Place { problem, ..failed.places.remove(0) }; 2];
    for locale in Locale::ALL {
        let told = read(Notice { commit: Some(message.clone()), ..usual(State::Failed(failed.clone())) }, locale);
        assert!(!told.contains(&secret[..8]) && !told.contains("[31m"), "{told}");
        assert_eq!(told.matches("push refused").count(), 3, "{told}");
    }
}

#[test]
fn several_places_are_told_the_first_one_with_its_log() {
    let first = usual_failure();
    let machine = Problem { kind: ErrorKind::BuildMachine, code: 2_189_504, message: "agent did not start".into() };
    let second = Place { stage: "Test".into(), job: "windows".into(), task: None, problem: Some(machine) };
    let third = Place { stage: "Pack".into(), job: "linux".into(), task: Some("Sign".into()), problem: None };
    let places = first.places.iter().cloned().chain([second, third]).collect();
    let failed = Failed { status: BuildStatus::ExecTimeout, places, more: 3, ..first };
    insta::assert_snapshot!(read(bare(State::Failed(failed)), Locale::En), @"
    Failed: nightly #128
    **Test › linux › Unit**
    User error 2199011: script exited with 1
    It ran for too long.
    ```
    test totals::half_to_even ... FAILED
    error: 1 of 212 tests failed
    ```
    Also failed:
    **Test › windows** · Build machine error 2189504: agent did not start
    **Pack › linux › Sign**
    … and 3 more
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 1 · `demo` · nightly
    ");
    let nowhere = Failed { status: BuildStatus::Failed, places: Vec::new(), more: 0, log: Vec::new() };
    insta::assert_snapshot!(read(bare(State::Failed(nowhere)), Locale::En), @"
    Failed: nightly #128
    BK-CI does not say where or why. Look at the build's page.
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 1 · `demo` · nightly
    ");
}

#[test]
fn what_runs_says_which_step_and_for_how_long() {
    let step = Some(["Test", "linux", "Unit"].map(str::to_owned));
    let running =
        |status| Notice { step: step.clone(), attempts: second_attempt(None), ..usual(State::Running { status }) };
    insta::assert_snapshot!(read(running(BuildStatus::Running), Locale::En), @r"
    Running: nightly #128 · attempt 2
    Now: **Test › linux › Unit**
    Retry accepted: BK-CI runs the failed jobs of stage **Test**: linux; Deploy stays failed, since BK-CI re-runs one failed stage at a time. Asked for by <@42>.
    `release/1.2` · Round totals half to even \(\#45\)
    Started by `chen` · 3 min 20 s so far
    Stages: ✅ Build · 1 min 20 s
    ❌ **Test** · 2 min 0 s
    ▫️ Deploy
    Attempts: **1** · `chen` · ❌ failed
    **2** · <@42> · the failed jobs of stage **Test**: linux · ▶️ running
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 2 · `demo` · nightly
    ");
    insta::assert_snapshot!(read(running(BuildStatus::Running), Locale::ZhCn), @r"
    运行中：nightly #128 · 第 2 次执行
    正在执行：**Test › linux › Unit**
    重试已受理，BK-CI 执行：阶段 **Test** 中失败的 Job：linux；Deploy 保持失败，因为 BK-CI 一次只重跑一个失败的阶段。由 <@42> 发起。
    `release/1.2` · Round totals half to even \(\#45\)
    由 `chen` 触发 · 已运行 3 分 20 秒
    阶段: ✅ Build · 1 分 20 秒
    ❌ **Test** · 2 分 0 秒
    ▫️ Deploy
    执行记录: **1** · `chen` · ❌ 失败
    **2** · <@42> · 阶段 **Test** 中失败的 Job：linux · ▶️ 运行中
    构建 ID: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · 第 2 次执行 · `demo` · nightly
    ");
    insta::assert_snapshot!(read(running(BuildStatus::Running), Locale::Ja), @r"
    実行中：nightly #128 · 2 回目
    実行中：**Test › linux › Unit**
    再試行を受け付けました。BK-CI の実行内容：ステージ **Test** の失敗したジョブ：linux（BK-CI は一度に一つの失敗ステージだけを再実行するため、Deploy は失敗のままです）。依頼者：<@42>。
    `release/1.2` · Round totals half to even \(\#45\)
    開始：`chen` · 経過 3 分 20 秒
    ステージ: ✅ Build · 1 分 20 秒
    ❌ **Test** · 2 分 0 秒
    ▫️ Deploy
    実行履歴: **1** · `chen` · ❌ 失敗
    **2** · <@42> · ステージ **Test** の失敗したジョブ：linux · ▶️ 実行中
    ビルド ID: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · 2 回目の実行 · `demo` · nightly
    ");
    insta::assert_snapshot!(read(Notice { stages: Vec::new(), ..running(BuildStatus::Reviewing) }, Locale::En), @r"
    Waiting for a person: nightly #128 · attempt 2
    **Test › linux › Unit** goes on when somebody has decided in BK-CI.
    Retry accepted: BK-CI runs the failed jobs of stage **Test**: linux; Deploy stays failed, since BK-CI re-runs one failed stage at a time. Asked for by <@42>.
    `release/1.2` · Round totals half to even \(\#45\)
    Started by `chen` · 3 min 20 s so far
    Attempts: **1** · `chen` · ❌ failed
    **2** · <@42> · the failed jobs of stage **Test**: linux · ⏸️ waiting
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 2 · `demo` · nightly
    ");
    insta::assert_snapshot!(read(bare(State::Running { status: BuildStatus::Queue }), Locale::En), @"
    Queued: nightly #128
    It waits in the queue.
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 1 · `demo` · nightly
    ");
}

/// The answer to a retry becomes the notice of its build (contract 5).
#[test]
fn a_retry_that_was_just_accepted_says_what_runs_and_who_asked() {
    let scope = second_attempt(None).pop().and_then(|attempt| attempt.scope);
    let about = About { pipeline_name: "nightly".into(), ..about(scope) };
    insta::assert_snapshot!(read(Notice::begun(2, &about, (1, BuildStatus::Failed)), Locale::En), @"
    Queued: nightly #128 · attempt 2
    Retry accepted: BK-CI runs the failed jobs of stage **Test**: linux; Deploy stays failed, since BK-CI re-runs one failed stage at a time. Asked for by <@42>.
    Attempts: **1** · ❌ failed
    **2** · <@42> · the failed jobs of stage **Test**: linux · ⏳ queued
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 2 · `demo` · nightly
    ");
    let failed = Failed { log: Vec::new(), ..usual_failure() };
    insta::assert_snapshot!(read(usual(State::Failed(failed)).again(1, &about), Locale::En), @r"
    Queued: nightly #128
    Retry accepted: BK-CI runs the failed jobs of stage **Test**: linux; Deploy stays failed, since BK-CI re-runs one failed stage at a time. Asked for by <@42>.
    `release/1.2` · Round totals half to even \(\#45\)
    Started by `chen`
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 1 · `demo` · nightly
    ");
}

#[test]
fn a_recovery_names_the_attempt_and_who_retried() {
    let attempts = second_attempt(Some(BuildStatus::Succeed));
    let fixed = |earlier, attempts| Notice {
        attempts,
        stages: vec![stage("Test", Some(BuildStatus::Succeed), Some(4000))],
        ..usual(State::Fixed { earlier })
    };
    insta::assert_snapshot!(read(fixed(None, attempts.clone()), Locale::En), @r"
    Recovered: nightly #128 · attempt 2
    Recovered on attempt 2, retried by <@42>.
    `release/1.2` · Round totals half to even \(\#45\)
    Started by `chen` · took 3 min 20 s
    Stages: ✅ Test · 1 h 6 min
    Attempts: **1** · `chen` · ❌ failed
    **2** · <@42> · the failed jobs of stage **Test**: linux · ✅ succeeded
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 2 · `demo` · nightly
    ");
    insta::assert_snapshot!(read(fixed(None, attempts.clone()), Locale::ZhCn), @r"
    已恢复：nightly #128 · 第 2 次执行
    第 2 次执行恢复成功，由 <@42> 重试。
    `release/1.2` · Round totals half to even \(\#45\)
    由 `chen` 触发 · 耗时 3 分 20 秒
    阶段: ✅ Test · 1 小时 6 分
    执行记录: **1** · `chen` · ❌ 失败
    **2** · <@42> · 阶段 **Test** 中失败的 Job：linux · ✅ 成功
    构建 ID: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · 第 2 次执行 · `demo` · nightly
    ");
    insta::assert_snapshot!(read(fixed(None, attempts.clone()), Locale::Ja), @r"
    復旧：nightly #128 · 2 回目
    2 回目の実行で復旧しました（再試行：<@42>）。
    `release/1.2` · Round totals half to even \(\#45\)
    開始：`chen` · 所要時間 3 分 20 秒
    ステージ: ✅ Test · 1 時間 6 分
    実行履歴: **1** · `chen` · ❌ 失敗
    **2** · <@42> · ステージ **Test** の失敗したジョブ：linux · ✅ 成功
    ビルド ID: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · 2 回目の実行 · `demo` · nightly
    ");
    insta::assert_snapshot!(read(fixed(Some(127), Vec::new()), Locale::En), @r"
    Fixed: nightly #128
    #128 passed after #127 failed.
    `release/1.2` · Round totals half to even \(\#45\)
    Started by `chen` · took 3 min 20 s
    Stages: ✅ Test · 1 h 6 min
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 1 · `demo` · nightly
    ");
    let both = read(fixed(Some(127), attempts), Locale::En);
    assert!(both.contains("#128 passed after #127 failed.\nRecovered on attempt 2, retried by <@42>."), "{both}");
}

#[test]
fn the_other_ends_are_told() {
    let canceled = State::Canceled { by: Some("dev.ada".into()) };
    let states = [State::Passed, canceled, State::Unwatched(Lost::View), State::Unwatched(Lost::Build)];
    let told = states.map(|state| read(Notice { stages: Vec::new(), ..usual(state) }, Locale::En));
    insta::assert_snapshot!(told.join("\n\n"), @r"
    Passed: nightly #128
    `release/1.2` · Round totals half to even \(\#45\)
    Started by `chen` · took 3 min 20 s
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 1 · `demo` · nightly

    Cancelled: nightly #128
    Cancelled by `dev.ada`.
    `release/1.2` · Round totals half to even \(\#45\)
    Started by `chen` · took 3 min 20 s
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 1 · `demo` · nightly

    No longer followed: nightly #128
    The DevOps user as whom the bot looked may not see this pipeline any more, or it is gone. The build's page shows how it goes on.
    `release/1.2` · Round totals half to even \(\#45\)
    Started by `chen`
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 1 · `demo` · nightly

    No longer followed: nightly #128
    BK-CI does not have this build any more.
    `release/1.2` · Round totals half to even \(\#45\)
    Started by `chen`
    Build: `b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e`
    #128 · attempt 1 · `demo` · nightly
    ");
}

#[test]
fn of_many_stages_those_that_matter_are_named() {
    let t = loader(Locale::En);
    let many = |failed: usize| {
        let of = |at: usize| match at {
            at if at < failed => Some(BuildStatus::Failed),
            0..=10 => Some(BuildStatus::Succeed),
            11 => Some(BuildStatus::Running),
            _ => None,
        };
        (0..20).map(|at| stage(&format!("S{at}"), of(at), (at == 0).then_some(61))).collect::<Vec<_>>()
    };
    insta::assert_snapshot!(stages::listed(t, &many(1)).expect("stages"), @"
    ✅ 10 · ❌ 1 · ▶️ 1 · ▫️ 8
    ❌ **S0** (1/20) · 1 min 1 s
    ▶️ **S11** (12/20)
    ");
    insta::assert_snapshot!(stages::listed(t, &many(10)).expect("stages"), @"
    ✅ 1 · ❌ 10 · ▶️ 1 · ▫️ 8
    ❌ **S0** (1/20) · 1 min 1 s
    ❌ **S1** (2/20)
    ❌ **S2** (3/20)
    ❌ **S3** (4/20)
    ❌ **S4** (5/20)
    ❌ **S5** (6/20)
    … and 5 more
    ");
    insta::assert_snapshot!(stages::listed(t, &many(0)[8..13]).expect("stages"), @"
    ✅ S8
    ✅ S9
    ✅ S10
    ▶️ **S11**
    ▫️ S12
    ");
    insta::assert_snapshot!(stages::listed(t, &many(0)[..1]).expect("stages"), @"
    ✅ S0 · 1 min 1 s
    ");
    assert_eq!(stages::listed(t, &[]), None);
}

#[test]
fn the_last_five_attempts_are_told_and_the_others_counted() {
    let t = loader(Locale::En);
    let attempts: Vec<Attempt> = (4..=12).map(|count| attempt(count, Some(Scope::WholeBuild), "chen")).collect();
    insta::assert_snapshot!(attempts::listed(t, &attempts, None).expect("attempts"), @"
    … and 7 earlier
    **8** · `chen` · the whole build · ❌ failed
    **9** · `chen` · the whole build · ❌ failed
    **10** · `chen` · the whole build · ❌ failed
    **11** · `chen` · the whole build · ❌ failed
    **12** · `chen` · the whole build · ❌ failed
    ");
    assert_eq!(attempts::listed(t, &attempts[..0], None), None);
    assert_eq!(attempts::listed(t, &[attempt(1, None, "chen")], None), None);
    let while_it_ran = [attempt(1, Some(Scope::WholeBuild), "chen")];
    assert!(attempts::listed(t, &while_it_ran, None).is_some(), "who had what retried while the build ran");
}

#[test]
fn a_pause_says_who_can_end_it() {
    for paused in pauses("nightly") {
        let sentence = say(&Reply::WatchPaused(paused), Locale::En);
        assert_eq!(sentence.buttons.iter().map(|button| button.verb).collect::<Vec<_>>(), [Verb::TakeOver]);
    }
    let paused = |lost: usize| Reply::WatchPaused(pauses("nightly").remove(lost));
    insta::assert_snapshot!(read_in(&paused(0), Locale::En), @"
    Watch paused: nightly
    `alice`, as whom the bot looked, may not see this pipeline any more, or it is gone.
    Nothing is told here until somebody who may see the pipeline takes the watch over.
    Project: `demo`
    Pipeline: `p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a`
    ");
    insta::assert_snapshot!(read_in(&paused(1), Locale::En), @"
    Watch paused: nightly
    Nobody here is linked any more to `alice`, as whom the bot looked.
    Nothing is told here until somebody who may see the pipeline takes the watch over.
    Project: `demo`
    Pipeline: `p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a`
    ");
    insta::assert_snapshot!(read_in(&paused(0), Locale::ZhCn), @"
    关注已暂停：nightly
    机器人查看时所用的 `alice` 已无权查看此流水线，或流水线已不存在。
    在有权查看该流水线的人接管之前，此处不再通知。
    项目: `demo`
    流水线: `p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a`
    ");
    insta::assert_snapshot!(read_in(&paused(0), Locale::Ja), @"
    監視を一時停止：nightly
    ボットが閲覧に使う `alice` がこのパイプラインを閲覧できなくなったか、パイプラインがなくなりました。
    このパイプラインを閲覧できる人が監視を引き継ぐまで、ここには通知しません。
    プロジェクト: `demo`
    パイプライン: `p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a`
    ");
}

#[test]
fn an_accepted_retry_leads_to_the_notice_that_is_there() {
    let about = about(Some(Scope::WholeBuild));
    let shown = MessageRef { guild: GuildId(1), channel: ChannelId(2), message: MessageId(3) };
    let outcome = Outcome::Accepted { build_id: about.build.build.to_string(), attempt: Some(2), seen_later: false };
    let reply = |notice| Reply::Retry { about: about.clone(), outcome: outcome.clone(), again: None, notice };
    for locale in Locale::ALL {
        let (alone, linked) = (say(&reply(None), locale), say(&reply(Some(shown)), locale));
        assert!(linked.body.contains("https://discord.com/channels/1/2/3"), "{}", linked.body);
        assert_eq!((alone.title, alone.fields, alone.link), (linked.title, linked.fields, linked.link));
    }
}

#[test]
fn whom_a_notice_pings_is_passed_on() {
    let ping = Ping { role: Some(RoleId(5)), user: Some(UserId(6)) };
    let notice = Notice { ping: ping.clone(), ..usual(State::Failed(usual_failure())) };
    assert_eq!(say(&Reply::Notice(Box::new(notice)), Locale::En).ping, ping);
}
