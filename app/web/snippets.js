/* snippets.js - the request as a shell script with curl and as Python: both run as they stand. */

import { base } from "./api.js";

const root = base.href.replace(/\/$/, "");
const shell = text => `'${text.replaceAll("'", `'\\''`)}'`;
const PICTURES = { image_url: "IMAGE", end_image_url: "END_IMAGE" };

/* A request with its pictures named by variables, as JSON text; mark(variable) writes one. */
function bodyText(request, mark, indent) {
  const text = JSON.stringify(request, (name, value) => (name in PICTURES && value ? `\u0001${PICTURES[name]}\u0001` : value), indent);
  return text.replace(/"\\u0001(\w+)\\u0001"/g, (_, name) => mark(name));
}

/* Only what differs from nothing at all: no empty end picture, no empty callback. */
export function trim(request) {
  const input = Object.fromEntries(Object.entries(request.input).filter(([name, value]) => !(name in PICTURES) || value));
  return { model: request.model, ...(request.callBackUrl ? { callBackUrl: request.callBackUrl } : {}), input };
}

export function curl(request, names) {
  const upload = (variable, file) => `${variable}=$(curl -sS "$URL/api/file-stream-upload" -H "Authorization: Bearer $KEY" \\
    -F uploadPath=pictures -F ${shell(`file=@${file}`)} | sed -n 's/.*"downloadUrl":"\\([^"]*\\)".*/\\1/p')`;
  const uploads = [upload("IMAGE", names.image), ...(request.input.end_image_url ? [upload("END_IMAGE", names.end)] : [])];
  /* Leaving the quotes for a variable: '…"'"$IMAGE"'"…' */
  const marked = bodyText(request, name => `\u0002${name}\u0002`, 2);
  const body = shell(marked).replace(/\u0002(\w+)\u0002/g, (_, name) => `"'"$${name}"'"`);
  return `KEY=\${KEY:-zt_...}   # your API key
URL=${root}

${uploads.join("\n")}

curl -sS "$URL/api/v1/jobs/createTask" \\
  -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \\
  -d ${body}

# then, until its state is success or fail:
# curl -sS "$URL/api/v1/jobs/recordInfo?taskId=task_..." -H "Authorization: Bearer $KEY"
`;
}

/* JSON and Python write true, false and null differently. */
const pythonWords = text => text.replace(/: (true|false|null)(?=,?$)/gm, (_, word) => `: ${{ true: "True", false: "False", null: "None" }[word]}`);

export function python(request, names) {
  const body = pythonWords(bodyText(request, name => `upload(${JSON.stringify(name === "IMAGE" ? names.image : names.end)})`, 4));
  return `import base64, json, os, time, urllib.request

KEY, URL = os.environ.get("KEY", "zt_..."), ${JSON.stringify(root)}

def call(path, body=None):
    request = urllib.request.Request(URL + path, headers={"Authorization": f"Bearer {KEY}",
                                                          "Content-Type": "application/json"})
    request.data = json.dumps(body).encode() if body else None
    return json.load(urllib.request.urlopen(request))["data"]

def upload(name):
    with open(name, "rb") as file:
        content = base64.b64encode(file.read()).decode()
    return call("/api/file-base64-upload", {"base64Data": content, "uploadPath": "pictures"})["downloadUrl"]

task = call("/api/v1/jobs/createTask", ${body})["taskId"]
while (data := call(f"/api/v1/jobs/recordInfo?taskId={task}"))["state"] not in ("success", "fail"):
    time.sleep(1)
print(json.loads(data["resultJson"])["resultUrls"][0] if data["resultJson"] else data["failMsg"])
`;
}

/* A JSON text inside JSON, opened, so that one can read it. */
export function answer(record) {
  const open = text => { try { return JSON.parse(text); } catch { return text; } };
  return JSON.stringify({ code: 200, msg: "success", data: { ...record, param: open(record.param), resultJson: open(record.resultJson) } }, null, 2);
}
