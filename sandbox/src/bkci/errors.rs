//! What the service says when it refuses: the codes with their HTTP status and their text in the three languages
//! that BK-CI ships (bkci-api.md 3.2, 3.3, 6.3, 6.4, 8 and 15), and what the gateway says (3.4).
//!
//! The English and Chinese texts are the reference's where it gives them. It gives no Chinese for 404, 408, 415, 500 and
//! a wrong query type, and cuts the English of 2101340 short: there the words are this double's, and so is the
//! Japanese of a missing argument; the other Japanese follows the service's own catalogue. A client must not lean
//! on any of them (3.5). `data` of a business error is lost between the services (3.2): a code carries only a message.

use serde_json::{Value, json};

/// The language of a user's messages (bkci-api.md 3.5): stored per user, `zh_CN` unless set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// `zh_CN`, the deployment's default.
    #[default]
    Chinese,
    /// `en_US`
    English,
    /// `ja_JP`
    Japanese,
}

/// One text in the three languages.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    zh: String,
    en: String,
    ja: String,
}

impl Texts {
    pub(super) fn new(zh: &str, en: &str, ja: &str) -> Self {
        Self { zh: zh.into(), en: en.into(), ja: ja.into() }
    }

    fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { zh: text.clone(), en: text.clone(), ja: text }
    }

    pub(super) fn say(&self, language: Language) -> &str {
        match language {
            Language::Chinese => &self.zh,
            Language::English => &self.en,
            Language::Japanese => &self.ja,
        }
    }

    /// Java's MessageFormat as far as these texts need it: `{0}`, `{1}` (bkci-api.md 15, last line).
    fn fill(mut self, arguments: &[&str]) -> Self {
        for text in [&mut self.zh, &mut self.en, &mut self.ja] {
            for (place, argument) in arguments.iter().enumerate() {
                *text = text.replace(&format!("{{{place}}}"), argument);
            }
        }
        self
    }
}

/// An answer that is not a success, in BK-CI's own envelope.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) http: u16,
    pub(super) status: u32,
    texts: Texts,
    data: Option<String>,
}

/// HTTP status, code, Chinese, English, Japanese.
type Row = (u16, u32, &'static str, &'static str, &'static str);

/// bkci-api.md 6.3, 6.4, 8 and 15.
const CODES: &[Row] = &[
    (400, 2100002, "参数[{0}]不能为空", "Parameter {0} cannot be empty", "パラメータ[{0}]が空ではありません"),
    (
        400,
        2100110,
        "内部服务返回结果无法解析 status:{0} body:{1}",
        "results returned by the internal service could not be parsed status:{0} body:{1}",
        "内部サービスの返却結果を解析できません status:{0} body:{1}",
    ),
    (
        403,
        2101008,
        "流水线: 用户无{0}权限",
        "Pipelining: users do not have {0} permissions",
        "パイプライン: ユーザーに{0}権限がありません",
    ),
    (
        400,
        2101019,
        "流水线: 流水线已经被{0}取消构建，请过{1}秒后再试",
        "Pipeline: the pipeline has been cancelled by {0}. Please try again after {1} seconds.",
        "パイプライン: パイプラインが{0}によって構築がキャンセルされました。{1}秒後に再試行してください",
    ),
    (
        400,
        2101020,
        "流水线: 不能太频繁启动构建",
        "Pipeline: do not start the build too often",
        "パイプライン: 構築を頻繁に起動することはできません",
    ),
    (
        404,
        2101038,
        "流水线: 流水线不存在",
        "Pipeline: pipeline does not exist",
        "パイプライン: パイプラインが存在しません",
    ),
    (
        400,
        2101039,
        "流水线: 流水线的模型不存在",
        "Pipeline: the pipelined model does not exist",
        "パイプライン: パイプラインのモデルが存在しません",
    ),
    (
        400,
        2101047,
        "流水线: 流水线锁定",
        "Pipelining: pipelined locking",
        "パイプライン: パイプラインがロックされています",
    ),
    (
        400,
        2101049,
        "流水线: 流水线队列满",
        "Pipeline: pipeline queue is full",
        "パイプライン: パイプラインキューが満杯です",
    ),
    (
        400,
        2101058,
        "流水线: 入参buildId与pipelineId不匹配",
        "Pipeline: input parameter buildId does not match pipelineId",
        "パイプライン: 入力パラメータbuildIdとpipelineIdが一致しません",
    ),
    (
        400,
        2101080,
        "项目[{0}]已禁用，不能启动",
        "Project [{0}] is disabled and cannot be started",
        "プロジェクト[{0}]が無効化されています。起動できません",
    ),
    (
        400,
        2101081,
        "构建数据已过期，请使用rebuild进行重试",
        "The build data is out of date, please use rebuild to try again",
        "構築データが期限切れです。rebuildを使用して再試行してください",
    ),
    (
        400,
        2101110,
        "job非完成态，不能进行重试",
        "The job is not completed and cannot be retried",
        "jobが完了状態ではないため、再試行できません",
    ),
    (
        400,
        2101114,
        "stage非失败状态，不能进行重试",
        "stage is not in a failed state and cannot be retried",
        "stageが失敗状態ではないため、再試行できません",
    ),
    (
        400,
        2101129,
        "流水线: 当前构建正在运行中，请勿重复提交重试请求",
        "Pipeline: The current build is running, do not submit retry requests repeatedly",
        "パイプライン: 現在の構築が実行中です。再試行の請求を重複して送信しないでください",
    ),
    (
        400,
        2101139,
        "异常: 流水线的基础构建数据Summary不存在，请联系管理员",
        "Exception: the basic construction data Summary of the pipeline does not exist. Please contact the administrator.",
        "異常: パイプラインの基礎構築データSummaryが存在しません。管理者に連絡してください",
    ),
    (
        404,
        2101163,
        "流水线构建[{0}]不存在",
        "Pipeline build [{0}] does not exist",
        "パイプライン構築[{0}]が存在しません",
    ),
    (
        400,
        2101182,
        "流水线: 流水线构建已结束，不能操作",
        "Pipeline: pipeline build has ended and cannot be operated",
        "パイプライン: パイプライン構築が終了しました。操作できません",
    ),
    (
        404,
        2101184,
        "流水线版本({0})不存在",
        "Pipeline version ({0}) does not exist",
        "パイプラインバージョン({0})が存在しません",
    ),
    (400, 2101221, "task不允许被跳过", "task not allowed to be skipped", "taskをスキップすることは許可されません"),
    (
        400,
        2101258,
        "构建数据已过期，重试时间不能晚于构建开始时间{0}天以上",
        "The build data has expired. The retry time cannot be more than {0} days later than the build start time.",
        "構築データが期限切れです。再試行時間は構築開始時間{0}日以上後にすることはできません",
    ),
    (
        400,
        2101273,
        "stage非运行中状态，不能进行插件级重试",
        "The stage is not in running state, task-level retry is not allowed",
        "stageが実行中状態ではないため、プラグインレベルの再試行できません",
    ),
    (
        400,
        2101277,
        "重试的插件不是失败或取消状态,不能进行重试",
        "Cannot retry plugin: not in failed/cancelled state",
        "再試行するプラグインが失敗またはキャンセル状態ではないため、再試行できません",
    ),
    (
        400,
        2101340,
        "用户{0}无权取消构建{1},仅限触发人或拥有流水线管理权限的用户可取消",
        "User {0} is not authorized to cancel build {1}, only the trigger user or users with pipeline management \
         permission can cancel it",
        "ユーザー{0}はビルド{1}をキャンセルする権限がありません。トリガーユーザーまたはパイプライン管理権限を持つ\
         ユーザーのみキャンセルできます",
    ),
];

impl Failure {
    /// A business error by its code. A code that the table does not know is a mistake of the caller in this crate.
    pub(super) fn code(code: u32, arguments: &[&str]) -> Self {
        let (http, status, zh, en, ja) = CODES.iter().find(|row| row.1 == code).copied().unwrap_or((
            400,
            code,
            "(no such text)",
            "(no such text)",
            "(no such text)",
        ));
        Self { http, status, texts: Texts::new(zh, en, ja).fill(arguments), data: None }
    }

    /// Whether the table has this code.
    pub(super) fn knows(code: u32) -> bool {
        CODES.iter().any(|row| row.1 == code)
    }

    /// The same code under another HTTP status (stop answers 2101008 with 400: bkci-api.md 8).
    pub(super) fn with_http(mut self, http: u16) -> Self {
        self.http = http;
        self
    }

    /// bkci-api.md 3.3, first row: the text that names the right is dropped between the services.
    pub(super) fn forbidden() -> Self {
        let texts =
            Texts::new("你没有权限进行该操作", "You don't have permission to do so", "この操作を行う権限がありません");
        Self { http: 403, status: 403, texts, data: None }
    }

    /// bkci-api.md 2.2 point 3: the application may not use this project.
    pub(super) fn application_forbidden(application: &str, project: &str) -> Self {
        let data = format!(
            "Permission denied: apigwType[apigw-app],appCode[{application}],ProjectId[{project}] No project permission"
        );
        Self { data: Some(data), ..Self::forbidden() }
    }

    /// bkci-api.md 2.2 point 3: not translated.
    pub(super) fn unknown_project(project: &str) -> Self {
        let texts = Texts::same(format!("ProjectId [{project}] not find, please check it."));
        Self { http: 404, status: 404, texts, data: None }
    }

    /// bkci-api.md 3.3: a required text argument is missing.
    pub(super) fn missing_argument(name: &str) -> Self {
        let texts = Texts::new(
            "参数校验失败:request param {0} cannot be empty",
            "Parameter verification failed: request param {0} cannot be empty",
            "パラメータ検証に失敗しました:request param {0} cannot be empty",
        );
        Self { http: 400, status: 400, texts: texts.fill(&[name]), data: None }
    }

    /// bkci-api.md 3.3, 6.1: v4 cannot tell which build of which pipeline is meant. The braces really are there.
    pub(super) fn unpaired(what: &str) -> Self {
        let begins = ["参数校验失败", "Parameter verification failed", "パラメータ検証に失敗しました"];
        let [zh, en, ja] = begins.map(|begins| match begins.is_ascii() {
            true => format!("{begins}: {{0}} {what}"),
            false => format!("{begins}:{{0}} {what}"),
        });
        Self { http: 400, status: 400, texts: Texts::new(&zh, &en, &ja), data: None }
    }

    /// bkci-api.md 3.3: no such path in the service.
    pub(super) fn no_such_path() -> Self {
        let texts = Texts::new(
            "请求的资源不存在",
            "requested resource does not exist",
            "リクエストされたリソースが存在しません",
        );
        Self { http: 404, status: 404, texts, data: Some("HTTP 404 Not Found".into()) }
    }

    /// bkci-api.md 3.3: wrong method.
    pub(super) fn wrong_method() -> Self {
        let data = Some("HTTP 405 Method Not Allowed".into());
        Self { http: 405, status: 405, data, ..Self::unsupported_media_type() }
    }

    /// bkci-api.md 3.3: `page=abc`.
    pub(super) fn wrong_type() -> Self {
        let texts = Texts::new("查询参数类型错误", "query parameter type is incorrect", "検索パラメータタイプエラー");
        Self { http: 400, status: 400, texts, data: Some("HTTP 404 Not Found".into()) }
    }

    /// bkci-api.md 3.3: missing or wrong Content-Type.
    pub(super) fn unsupported_media_type() -> Self {
        let texts = Texts::new(
            "用户请求不合法，参数或方法错误，请咨询助手",
            "The user request is invalid and the parameter or method is incorrect. Please consult the assistant.",
            "ユーザーリクエストが不合法です。パラメータまたはメソッドが間違っています。アシスタントに相談してください",
        );
        Self { http: 415, status: 415, texts, data: Some("HTTP 415 Unsupported Media Type".into()) }
    }

    /// bkci-api.md 3.3: the openapi service waited 15 s for the service behind it.
    pub(super) fn timed_out() -> Self {
        let texts = Texts::new("请求超时", "request timed out", "リクエストタイムアウト");
        Self { http: 408, status: 408, texts, data: Some("request timed out".into()) }
    }

    /// bkci-api.md 3.3: an unexpected exception.
    pub(super) fn exception() -> Self {
        let texts = Texts::new(
            "访问后台数据失败，已通知产品、开发，请稍后重试",
            "Failed to access background data, product, development has been notified, please try again later",
            "バックグラウンドデータにアクセスできません。製品、開発に通知しました。しばらくして再試してください",
        );
        Self { http: 500, status: 500, texts, data: Some("java.lang.NullPointerException".into()) }
    }

    /// The body, in the reader's language.
    pub(super) fn body(&self, language: Language) -> Value {
        let mut body = json!({"status": self.status, "message": self.texts.say(language)});
        if let Some(data) = &self.data {
            body["data"] = json!(data);
        }
        body
    }
}

/// An error of the gateway itself (bkci-api.md 3.4).
#[derive(Clone, Debug)]
pub(super) struct GatewayFailure {
    pub(super) http: u16,
    pub(super) code: u32,
    name: Option<&'static str>,
    pub(super) message: String,
}

/// HTTP status, code, code_name, message (bkci-api.md 3.4).
const GATEWAY_CODES: &[(u16, u32, Option<&str>, &str)] = &[
    (400, 1640001, Some("INVALID_ARGS"), "Parameters error"),
    (401, 1640101, Some("APP_VERIFY_FAILED"), "App authentication failed"),
    (401, 1640102, Some("USER_VERIFY_FAILED"), "User authentication failed"),
    (403, 1640301, Some("APP_NO_PERMISSION"), "App has no permission to the resource"),
    (403, 1640302, Some("IP_NOT_ALLOWED"), "Request rejected by ip restriction"),
    (404, 1640401, Some("API_NOT_FOUND"), "API not found"),
    (405, 1640501, None, "Request unsupported method"),
    (413, 1641301, Some("BODY_SIZE_LIMIT_EXCEED"), "Request body size too large."),
    (429, 1642901, Some("RATE_LIMIT_RESTRICTION"), "API rate limit exceeded by stage global limit"),
    (429, 1642902, Some("RATE_LIMIT_RESTRICTION"), "API rate limit exceeded by stage strategy"),
    (429, 1642903, Some("RATE_LIMIT_RESTRICTION"), "API rate limit exceeded by resource strategy"),
    (429, 1642904, Some("CONCURRENCY_LIMIT_RESTRICTION"), "Request concurrency exceeds"),
    (500, 1650001, Some("INTERNAL_SERVER_ERROR"), "Internal Server Error"),
    (502, 1650200, Some("BAD_GATEWAY"), "Bad Gateway"),
    (502, 1650201, Some("ERROR_REQUESTING_RESOURCE"), "Request backend service failed"),
    (503, 1650300, Some("SERVICE_UNAVAILABLE"), "Service Unavailable"),
    (504, 1650401, Some("REQUEST_BACKEND_TIMEOUT"), "Request backend service timeout"),
];

impl GatewayFailure {
    /// An error of the gateway by its code; one that the table does not know becomes 1650001.
    pub(super) fn of(code: u32, reason: Option<&str>) -> Self {
        let (http, code, name, text) = GATEWAY_CODES.iter().find(|row| row.1 == code).copied().unwrap_or((
            500,
            1650001,
            Some("INTERNAL_SERVER_ERROR"),
            "Internal Server Error",
        ));
        let message = match reason {
            Some(reason) => format!("{text} [reason=\"{reason}\"]"),
            None => text.into(),
        };
        Self { http, code, name, message }
    }

    /// The body, whose shape is not BK-CI's.
    pub(super) fn body(&self) -> Value {
        let mut body = json!({"code": self.code, "data": null, "message": self.message, "result": false});
        if let Some(name) = self.name {
            body["code_name"] = json!(name);
        }
        body
    }
}
