/* form.mjs - keys, pictures, prompt, options, and what is said about mistakes. */
import { accessible, check, chips, fill, part, picture, same, until, visit } from "./checks.mjs";
import { png } from "./world.mjs";

const stored = page => page.evaluate(() => ({ local: localStorage.getItem("zoetrope-key"), tab: sessionStorage.getItem("zoetrope-key") }));

part("form", "key", async world => {
  const page = await visit(world, { key: false });
  check("asks for a key", await page.isVisible("#key-panel"));
  await page.waitForFunction(() => document.querySelector("#tasks-note").textContent);
  await page.click("#create");
  check("says that a key is missing", (await page.textContent("#key-error")).includes("key"));
  await page.fill("#key", "zt_wrong");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#key-error").textContent.includes("not accept"));
  check("asks again after a wrong key", await page.isVisible("#key-panel"));
  await page.fill("#key", world.server.key);
  await page.click("#key-panel [type=submit]");
  await page.waitForSelector("#key-panel", { state: "hidden" });
  same("unticked: in the tab alone", await stored(page), { local: null, tab: world.server.key });
  await page.click("#key-button");
  await page.check("#key-keep");
  await page.click("#key-panel [type=submit]");
  same("ticked: kept", (await stored(page)).local, world.server.key);
  await page.reload();
  await page.waitForSelector("html[data-ready]");
  check("needs no key again", !await page.isVisible("#key-panel"));
  await page.click("#key-button");
  await page.click("#key-forget");
  same("forgotten", await stored(page), { local: null, tab: null });
  check("asks for one again", await page.isVisible("#key-panel"));
});

part("form", "key in the address", async world => {
  const page = await visit(world, { fragment: "task=none" });
  same("out of the address", page.url(), `${world.server.url}/#task=none`);
  same("not kept", await stored(page), { local: null, tab: world.server.key });
  check("not on the page", !(await page.content()).includes(world.server.key));
  check("not in the history", !(await page.evaluate(() => JSON.stringify(history.state) + document.referrer)).includes("zt_"));
});

part("form", "reading", async world => {
  const page = await visit(world);
  await page.fill("#prompt", "0-2s: slow push in on the raccoon. Cut to a pan left, light snow");
  await page.waitForSelector("#reading .shot:nth-child(2)");
  same("moves and weather", await chips(page), ["push inslow", "pan left", "light snow"]);
  same("unread words", await page.$$eval(".unread", list => list.map(el => el.textContent)), ["raccoon"]);
  same("the whole prompt", await page.textContent(".as-read"), "0-2s: slow push in on the raccoon. Cut to a pan left, light snow");
  same("times", await page.$$eval(".shot-time", list => list.map(el => el.textContent)), ["0.0–2.0 s", "2.0–5.0 s"]);
  const widths = await page.$$eval(".ruler i", list => list.map(el => el.getBoundingClientRect().width));
  check("as wide as they are long", Math.abs(widths[0] / widths[1] - 48 / 73) < 0.05, String(widths));
  await page.selectOption("#option-duration", "10");
  await page.waitForFunction(() => document.querySelector(".shot:nth-child(2) .shot-time").textContent === "2.0–10.0 s");
  await page.fill("#prompt", "镜头缓慢推进琉璃塔，然后向左摇");
  await until("Chinese", async () => (await chips(page)).length === 2);
  same("Chinese moves", await chips(page), ["push inslow", "pan left"]);
  same("Chinese words in a row", await page.$$eval(".unread", list => list.map(el => el.textContent)), ["琉璃塔"]);
  await page.check("#option-camera_fixed");
  await until("a fixed camera", async () => (await chips(page))[0] === "still");
  await page.uncheck("#option-camera_fixed");
  await page.setInputFiles("#slot-end input", picture(9));
  await until("a passage", async () => (await page.textContent("#reading")).includes("Passage to the last frame"));
  await page.selectOption("#option-model", "bytedance/v1-pro-image-to-video");
  check("a model without a last frame", !await page.isVisible("#slot-end"));
  await until("no passage", async () => (await chips(page)).length === 2);
  await page.selectOption("#option-model", "bytedance/v1-pro-fast-image-to-video");
  same("a model with fewer choices", await page.$$eval("#options .option", list => list.map(el => el.dataset.field)), ["model", "resolution", "duration", "callback"]);
  await page.fill("#prompt", "<img src=x onerror=alert(1)> push in");
  await until("data stays text", async () => (await page.textContent(".as-read"))?.startsWith("<img"));
  same("no element came of it", await page.$$eval("#reading img", list => list.length), 0);
});

part("form", "pictures", async world => {
  const page = await visit(world);
  const shown = () => page.$eval("#slot-image img", img => [img.naturalWidth, img.naturalHeight]).catch(() => null);
  const hand = (kind, width) => page.evaluate(([kind_, bytes]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], "given.png", { type: "image/png" }));
    if (kind_ === "paste") document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
    else for (const name of ["dragenter", "dragover", "drop"])
      document.body.dispatchEvent(new DragEvent(name, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, [kind, [...png(width, 96)]]);
  await page.setInputFiles("#slot-image input", picture());
  await until("chosen", async () => JSON.stringify(await shown()) === "[192,108]");
  await hand("drop", 128);
  await until("dropped", async () => JSON.stringify(await shown()) === "[128,96]");
  check("no veil stays", !await page.isVisible("#drop-veil"));
  await hand("paste", 160);
  await until("pasted", async () => JSON.stringify(await shown()) === "[160,96]");
  await page.waitForSelector("#screen img.fill");
  await page.click("#slot-image .slot-remove");
  same("removed", await shown(), null);
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.click("#screen .idle")]);
  await chooser.setFiles(picture(3));
  await until("chosen on the screen", async () => JSON.stringify(await shown()) === "[192,108]");
  await page.setInputFiles("#slot-image input", { name: "big.png", mimeType: "image/png", buffer: Buffer.alloc(11 << 20, 7) });
  await until("too large", async () => (await page.textContent("#slot-image .error")).includes("10 MB"));
});

part("form", "mistakes", async world => {
  const page = await visit(world);
  await page.click("#create");
  check("no picture", (await page.textContent("#slot-image .error")).includes("picture"));
  check("no prompt", (await page.textContent("#prompt-error")) !== "");
  same("takes you there", await page.evaluate(() => document.activeElement.closest(".slot")?.id), "slot-image");
  await fill(page);
  await page.fill("#option-seed", "99999999999");
  await page.fill("#option-callback", "ftp://x");
  await page.click("#create");
  await page.waitForFunction(() => document.querySelector("#seed-error").textContent);
  check("the server's words at the seed", /seed must be .*2147483647/.test(await page.textContent("#seed-error")), await page.textContent("#seed-error"));
  check("and at the callback", (await page.textContent("#callback-error")).includes("callBackUrl"));
  same("nothing is left over", await page.textContent("#form-error"), "");
  await accessible(page, "mistakes");
  await page.click(".dice");
  same("gone once it is changed", await page.textContent("#seed-error"), "");
  check("a seed was rolled", /^\d{1,6}$/.test(await page.inputValue("#option-seed")));
  await page.fill("#option-callback", "");
  await page.fill("#prompt", "a".repeat(10001));
  await page.click("#create");
  await until("too long a prompt", async () => /10000|10,000/.test(await page.textContent("#prompt-error")));
});
