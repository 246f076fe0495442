// Shapes that pass between the parts. For the type checker only; nothing loads this file.

/**
 * @typedef {"suspected" | "unsure" | "none"} Finding
 * @typedef {"user" | "visible" | "background"} Priority
 *
 * What the daemon says about one picture.
 * @typedef {object} Verdict
 * @property {Finding} verdict
 * @property {number} probability
 * @property {string} reason
 * @property {{id: string, digest: string}} model
 * @property {string} calibration
 * @property {Evidence[]} evidence
 *
 * What the file says of itself; its details differ by the kind.
 * @typedef {"content_credentials" | "iptc" | "generator_parameters" | "watermark" | "capture"} EvidenceKind
 * @typedef {object} Evidence
 * @property {EvidenceKind} kind
 * @property {boolean} declares_ai
 * @property {boolean | null} valid
 * @property {boolean | null} trusted
 * @property {string} summary
 * @property {Record<string, any>} details
 *
 * @typedef {object} ModelInfo
 * @property {string} id
 * @property {string} title
 * @property {string} digest
 * @property {string} calibration
 *
 * @typedef {object} ModelState
 * @property {ModelInfo | null} current
 * @property {"ready" | "loading" | "failed"} state
 * @property {string} message
 *
 * A heatmap's grid spans the whole picture, 1 pushes towards AI.
 * @typedef {object} Heat
 * @property {number} rows
 * @property {number} cols
 * @property {number[][]} values
 *
 * @typedef {object} Explanation
 * @property {string} method
 * @property {Heat} heatmap
 * @property {string} reason
 * @property {Verdict} verdict
 */

/**
 * unknown: not asked yet; off: nobody answers; unpaired: it runs, but we have no valid token; outdated: it or we
 * must be updated; starting: the model is being loaded; failed: the model cannot be used; paused: only what a person
 * asks about is checked; ready: pictures can be checked.
 * @typedef {"unknown" | "off" | "unpaired" | "outdated" | "starting" | "failed" | "paused" | "ready"} DaemonStatus
 *
 * @typedef {object} StatusAnswer
 * @property {DaemonStatus} status
 * @property {string} address
 * @property {ModelInfo | null} model
 * @property {string} message
 *
 * @typedef {"strong" | "unsure"} Sensitivity
 *
 * @typedef {object} Settings
 * @property {string} address  set by hand, loopback only; empty: look on the ten usual ports
 * @property {Sensitivity} sensitivity
 * @property {string[]} disabledSites  host names
 *
 * @typedef {object} Pairing
 * @property {string} address  where the daemon last answered
 * @property {string} token
 */

/**
 * The answer about one picture. `mark` is what to draw: the verdict seen through the person's sensitivity setting.
 * `declares`: the file declares AI, whatever the detector says.
 * @typedef {{status: "done", mark: Finding, declares: boolean, verdict: Verdict, model: string}} Done
 * @typedef {{status: "error", code: string, message: string}} Failure
 * @typedef {{status: "off" | "unpaired" | "outdated" | "starting" | "failed" | "paused" | "disabled" | "dropped"}} NotNow
 * @typedef {Done | Failure | NotNow} CheckAnswer
 * @typedef {{status: "done", explanation: Explanation} | Failure | NotNow} ExplainAnswer
 * @typedef {{ok: boolean, message: string}} PairAnswer
 */

/**
 * Content script to background.
 * @typedef {{type: "check", url: string, priority: Priority}} CheckMessage
 * @typedef {{type: "explain", url: string}} ExplainMessage
 * @typedef {{type: "wake"}} WakeMessage  the page is looked at again while the daemon was off
 * @typedef {{type: "leave"}} LeaveMessage  the page is gone: its waiting pictures need no answer
 * @typedef {{type: "pair-page"}} PairPageMessage  is the page that I run on the daemon's own?
 * @typedef {{type: "pair", code: string}} PairMessage  also from the popup
 * @typedef {CheckMessage | ExplainMessage | WakeMessage | LeaveMessage | PairPageMessage | PairMessage} PageMessage
 *
 * Extension page to background.
 * @typedef {{type: "status"}} StatusMessage
 * @typedef {{type: "forget"}} ForgetMessage
 * @typedef {{type: "pause", paused: boolean}} PauseMessage  from now on, or no longer
 * @typedef {{type: "check-image", url: string, tabId: number, frameId: number}} CheckImageMessage
 * @typedef {PairMessage | StatusMessage | ForgetMessage | PauseMessage | CheckImageMessage} ExtensionMessage
 *
 * Background or extension page to content script.
 * @typedef {{type: "refresh"}} RefreshMessage  settings, model or daemon changed: ask again
 * @typedef {{type: "panel", url: string, answer: CheckAnswer | null}} PanelMessage  null: being checked
 * @typedef {{type: "read", url: string}} ReadMessage  the bytes of a blob: URL, as base64
 * @typedef {{type: "state"}} StateMessage
 * @typedef {RefreshMessage | PanelMessage | ReadMessage | StateMessage} ToPageMessage
 */

/**
 * What a page shows now, for the popup and the browser tests.
 * @typedef {object} ShownMark
 * @property {string} url
 * @property {Finding} mark
 * @property {boolean} declares
 * @property {string} text
 * @property {boolean} visible
 * @property {{x: number, y: number, width: number, height: number}} rect  of the badge, in the viewport
 * @property {string | null} card  text of the open card
 * @property {{x: number, y: number, width: number, height: number} | null} heatmap
 *
 * @typedef {object} PageState
 * @property {ShownMark[]} marks
 * @property {string | null} panel
 * @property {number} known  pictures that the finder looks after
 * @property {boolean} paused
 */
