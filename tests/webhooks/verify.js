// Reads one JSON object a line: secret, headers, body (base64). Says of each "ok", or why the
// independent implementation of Standard Webhooks refuses it.
const { Webhook } = require("standardwebhooks");
const lines = require("fs").readFileSync(0, "utf8").split("\n");

for (const line of lines.filter((text) => text !== "")) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64").toString("utf8"), headers);
    console.log("ok");
  } catch (error) {
    console.log(`${error.name}: ${error.message}`);
  }
}
