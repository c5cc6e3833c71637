/* strings.js - every text of the page, English and Chinese side by side, and what puts them in place. */

/* prettier-ignore */
const table = {
  "skip": ["Skip to the form", "跳到表单"],
  "tools": ["Page", "页面"],
  "tasks": ["Tasks", "任务"],
  "theme-light": ["Light. Switch to dark", "浅色，切换到深色"],
  "theme-dark": ["Dark. Switch to light", "深色，切换到浅色"],
  "key": ["API key", "API 密钥"],
  "key-set": ["Key", "密钥"],
  "key-none": ["Enter key", "输入密钥"],
  "key-title": ["Your API key", "您的 API 密钥"],
  "key-hint": ["The server shows it at its first start, or makes one: zoetrope keys create. It stays in this tab unless you tick the box.",
    "服务器首次启动时会显示，也可用 zoetrope keys create 创建。除非勾选，否则只保留在此标签页。"],
  "key-use": ["Use this key", "使用此密钥"],
  "key-keep": ["Remember on this device", "在此设备上记住"],
  "key-forget": ["Forget it", "忘记密钥"],
  "key-wrong": ["The server does not accept this key.", "服务器不接受此密钥。"],
  "key-missing": ["Enter an API key first.", "请先输入 API 密钥。"],

  "new-video": ["New video", "新视频"],
  "first-picture": ["First frame", "首帧"],
  "end-picture": ["Last frame", "尾帧"],
  "optional": ["optional", "可选"],
  "choose": ["Drop, paste or choose", "拖入、粘贴或选择"],
  "choose-first": ["Choose the first frame", "选择首帧图片"],
  "choose-end": ["Choose the last frame", "选择尾帧图片"],
  "remove-first": ["Remove the first frame", "移除首帧"],
  "remove-end": ["Remove the last frame", "移除尾帧"],
  "not-shown": ["Your browser cannot show this picture", "浏览器无法显示此图片"],
  "too-large": ["This picture has {0}; at most 10 MB are taken", "此图片为 {0}，上限 10 MB"],
  "no-picture": ["Choose a picture first", "请先选择一张图片"],
  "no-prompt": ["Say what should happen", "请描述想要的画面"],
  "drop-anywhere": ["Drop it: it becomes the first frame", "松开即设为首帧"],
  "prompt": ["Prompt", "提示词"],
  "prompt-hint": ["Slow push in, then the camera pans right. Light snow falls.", "镜头缓慢推进，然后向右摇。小雪飘落。"],
  "ideas": ["Ideas", "示例"],
  "idea-1": ["Slow push in, snow falls", "镜头缓慢推进，雪花飘落"],
  "idea-2": ["Orbit right, then pull back", "镜头向右环绕，然后拉远"],
  "idea-3": ["0-3s: push in. 3-5s: tilt up, fog drifts", "0-3秒：推进。3-5秒：镜头上摇，薄雾飘动"],

  "model": ["Model", "模型"],
  "resolution": ["Resolution", "分辨率"],
  "duration": ["Duration", "时长"],
  "camera_fixed": ["Camera stays still", "镜头固定"],
  "seed": ["Seed", "随机种子"],
  "seed-random": ["random", "随机"],
  "seed-roll": ["Roll a seed", "随机一个种子"],
  "enable_safety_checker": ["Safety check", "安全检查"],
  "callback": ["Callback address", "回调地址"],
  "seconds": ["{0} s", "{0} 秒"],
  "create": ["Create video", "生成视频"],
  "sending": ["Sending…", "发送中…"],
  "retry-in": ["Try again in {0} s.", "请在 {0} 秒后重试。"],
  "offline": ["The server does not answer.", "服务器没有响应。"],

  "stage": ["Screen", "画面"],
  "idle": ["Drop a picture here", "将图片拖到这里"],
  "idle-hint": ["or paste it, or choose a file", "也可以粘贴或选择文件"],
  "preview": ["First frame", "首帧"],
  "to-video": ["Back to the video", "返回视频"],
  "progress": ["Progress", "进度"],
  "state-waiting": ["Waiting", "等待中"],
  "state-queuing": ["Getting ready", "准备中"],
  "state-generating": ["Making", "生成中"],
  "state-success": ["Done", "已完成"],
  "state-fail": ["Failed", "失败"],
  "state-cancelled": ["Cancelled", "已取消"],
  "ahead-0": ["next in line", "即将开始"],
  "ahead": ["{0} ahead of it", "前面还有 {0} 个"],
  "stage-fetch": ["Fetching the picture", "读取图片"],
  "stage-decode": ["Decoding the picture", "解码图片"],
  "stage-prepare": ["Fitting the picture", "裁剪图片"],
  "stage-depth": ["Finding near and far", "估计远近"],
  "stage-layers": ["Cutting layers apart", "分离图层"],
  "stage-flow": ["Matching both pictures", "匹配两张图片"],
  "stage-render": ["Drawing frames", "绘制画面"],
  "stage-encode": ["Writing the video", "写入视频"],
  "stage-publish": ["Putting it in place", "保存结果"],
  "step": ["{0} of {1}", "第 {0} / {1}"],
  "left": ["{0} left", "还需 {0}"],
  "moments": ["a moment", "片刻"],
  "minutes": ["{0} min", "{0} 分钟"],
  "cancel": ["Cancel", "取消"],
  "cancelling": ["Cancelling…", "正在取消…"],
  "reconnecting": ["Reconnecting…", "正在重新连接…"],
  "video-of": ["Video: {0}", "视频：{0}"],
  "download": ["Download", "下载"],
  "loop": ["Loop", "循环"],
  "continue": ["Continue from the last frame", "从尾帧继续"],
  "compare": ["Compare", "对比"],
  "again": ["Use again", "再次使用"],
  "made-by": ["{0}×{1} · {2} frames · seed {3} · {4} · made by {5}", "{0}×{1} · {2} 帧 · 种子 {3} · {4} · 由 {5} 生成"],
  "took": ["in {0}", "用时 {0}"],
  "expired": ["The file of this video has expired.", "此视频文件已过期。"],
  "fail-422": ["This picture or prompt cannot be used", "此图片或提示词无法使用"],
  "fail-408": ["A host took too long", "远端主机超时"],
  "fail-499": ["You cancelled this one", "您已取消此任务"],
  "fail-500": ["A fault of the server", "服务器故障"],
  "fail-501": ["The generation failed", "生成失败"],
  "said-done": ["The video is done", "视频已完成"],

  "reading": ["How the prompt is read", "提示词的理解"],
  "reading-empty": ["Shots and camera moves appear here as you write.", "输入提示词后，这里显示镜头与运镜。"],
  "shot": ["Shot {0}", "镜头 {0}"],
  "no-time": ["no time left for it", "时长不足，略去"],
  "unread-title": ["Dotted words are not camera, framing or weather words; the motion engine leaves them to the picture.",
    "带点下划线的词不是运镜、景别或天气词，motion 引擎不会改变它们，由图片决定。"],
  "passage": ["Passage to the last frame", "过渡到尾帧"],
  "passage-hint": ["With a last frame, the motion engine flows from one picture to the other; camera words are not followed.",
    "有尾帧时，motion 引擎从首帧流动过渡到尾帧，不执行运镜词。"],
  "fixed-hint": ["The camera stays still, as the option says; weather and light still move.", "已选择镜头固定；天气与光线仍会变化。"],
  "own-path": ["a gentle move of its own", "自选的轻柔运镜"],
  "still": ["still", "静止"],
  "loops": ["seamless loop", "无缝循环"],
  "then": ["then", "然后"],
  "together": ["together with", "同时"],
  "very-slow": ["very slow", "极慢"],
  "slow": ["slow", "慢"],
  "quick": ["quick", "快"],
  "very-quick": ["very quick", "极快"],
  "slight": ["slight", "轻微"],
  "strong": ["strong", "强烈"],
  "light": ["light {0}", "小{0}"],
  "heavy": ["heavy {0}", "大{0}"],
  "subject": ["subject {0}", "主体{0}"],
  "at-left": ["left", "居左"], "at-right": ["right", "居右"], "at-upper": ["upper", "居上"],
  "at-lower": ["lower", "居下"], "at-centre": ["centre", "居中"],

  "move-static": ["static", "静止"],
  "move-push_in": ["push in", "推进"], "move-pull_out": ["pull out", "拉远"],
  "move-zoom_in": ["zoom in", "变焦推近"], "move-zoom_out": ["zoom out", "变焦拉远"],
  "move-dolly_zoom_in": ["dolly zoom in", "希区柯克变焦（进）"], "move-dolly_zoom_out": ["dolly zoom out", "希区柯克变焦（退）"],
  "move-pan_left": ["pan left", "左摇"], "move-pan_right": ["pan right", "右摇"],
  "move-tilt_up": ["tilt up", "上摇"], "move-tilt_down": ["tilt down", "下摇"],
  "move-truck_left": ["truck left", "左移"], "move-truck_right": ["truck right", "右移"],
  "move-pedestal_up": ["pedestal up", "升"], "move-pedestal_down": ["pedestal down", "降"],
  "move-roll_cw": ["roll clockwise", "顺时针旋转"], "move-roll_ccw": ["roll counter-clockwise", "逆时针旋转"],
  "move-orbit_left": ["orbit left", "向左环绕"], "move-orbit_right": ["orbit right", "向右环绕"],
  "move-crane_up": ["crane up", "摇臂上升"], "move-crane_down": ["crane down", "摇臂下降"],
  "move-follow": ["follow", "跟随"], "move-handheld": ["handheld", "手持"],
  "framing-extreme_wide": ["extreme wide shot", "大远景"], "framing-wide": ["wide shot", "远景"],
  "framing-full": ["full shot", "全景"], "framing-medium": ["medium shot", "中景"],
  "framing-close_up": ["close-up", "特写"], "framing-extreme_close_up": ["extreme close-up", "大特写"],
  "air-rain": ["rain", "雨"], "air-snow": ["snow", "雪"], "air-fog": ["fog", "雾"], "air-dust": ["dust", "尘"],
  "air-embers": ["embers", "火星"], "air-water": ["water", "水波"], "air-wind": ["wind", "风"],
  "air-clouds": ["clouds", "云"], "air-flicker": ["flicker", "灯火闪烁"], "air-sun_rays": ["sun rays", "光束"],
  "air-night": ["night", "夜色"], "air-petals": ["petals", "花瓣"],
  "cut-cut": ["cut", "切"], "cut-dissolve": ["dissolve", "叠化"], "cut-fade": ["fade", "淡入淡出"],
  "cut-whip_pan": ["whip pan", "甩镜"], "cut-match_cut": ["match cut", "匹配剪辑"],

  "details": ["Request and answer", "请求与应答"],
  "answer": ["Answer", "应答"],
  "callbacks": ["Callbacks", "回调"],
  "copy": ["Copy", "复制"],
  "copied": ["Copied", "已复制"],
  "no-callbacks": ["This task named no callback address.", "此任务没有回调地址。"],
  "redeliver": ["Send again", "重新发送"],
  "redelivered": ["It will be sent again", "将重新发送"],
  "attempt": ["Try {0}", "第 {0} 次"],
  "no-answer": ["no answer", "无应答"],
  "when": ["Time", "时间"], "outcome": ["Outcome", "结果"], "took-ms": ["Took", "耗时"], "excerpt": ["Answer", "应答"],

  "filter-state": ["State", "状态"],
  "filter-model": ["Model", "模型"],
  "all": ["All", "全部"],
  "more": ["Show more", "显示更多"],
  "open": ["Open", "打开"],
  "none-yet": ["No tasks yet. The first one will appear here.", "还没有任务，第一个任务会显示在这里。"],
  "none-such": ["No task is like that.", "没有符合条件的任务。"],
  "need-key": ["With a key, your tasks appear here.", "输入密钥后显示您的任务。"],
  "compare-pick": ["{0} chosen. Choose another video to compare it with.", "已选 {0}，再选一个视频进行对比。"],
  "compare-title": ["Side by side", "并排对比"],
  "close": ["Close", "关闭"],
  "play": ["Play", "播放"], "pause": ["Pause", "暂停"],
  "position": ["Position", "播放位置"],
  "swap": ["Swap", "交换"],
  "footer": ["zoetrope: a picture and a sentence in, a video out.", "zoetrope：一张图片、一句话，生成视频。"],
};

const column = { en: 0, zh: 1 };
let language = "en";

export function setLanguage(code) {
  language = code in column ? code : "en";
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

export const currentLanguage = () => language;

/* The text of a key, its {0} {1} filled in. */
export function t(key, ...values) {
  const row = table[key];
  if (!row) return key;
  return row[column[language]].replace(/\{(\d)\}/g, (_, i) => values[i] ?? "");
}

export const has = key => key in table;

/* Fills every element that names its text: data-t, data-t-label, data-t-placeholder. */
export function translate(root = document) {
  for (const el of root.querySelectorAll("[data-t]")) el.textContent = t(el.dataset.t);
  for (const el of root.querySelectorAll("[data-t-label]")) el.setAttribute("aria-label", t(el.dataset.tLabel));
  for (const el of root.querySelectorAll("[data-t-placeholder]")) el.placeholder = t(el.dataset.tPlaceholder);
}

/* Both columns of every row, for a test. */
export const rows = () => Object.entries(table);
