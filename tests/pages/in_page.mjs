// What is looked at from within a page. It is sent to the browser as text, so it stands alone.
export function inPage() {
  const faults = [];
  const fault = (condition, text) => condition && faults.push(text);

  fault(document.documentElement.lang !== "en", "the language is not set");
  fault(document.title.trim() === "", "the title is not set");
  fault(!document.querySelector('meta[name="viewport"]'), "the viewport is not set");
  fault(document.querySelectorAll("main").length !== 1, "there is not one main");
  const active = "script, iframe, object, embed, link, img, svg, base, meta[http-equiv]";
  for (const element of document.querySelectorAll(active)) faults.push(`there is a <${element.localName}>`);
  for (const element of document.querySelectorAll("*")) {
    for (const { name } of element.attributes) {
      fault(name.startsWith("on") || name === "style", `<${element.localName}> has ${name}`);
    }
  }

  const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((h) => Number(h.localName[1]));
  fault(levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1, `the headings begin with ${levels}`);
  fault(levels.some((level, at) => at > 0 && level > levels[at - 1] + 1), `the headings skip: ${levels}`);

  const width = document.documentElement.clientWidth;
  fault(document.documentElement.scrollWidth > width, `it is ${document.documentElement.scrollWidth} px wide`);
  for (const element of document.querySelectorAll("main *")) {
    const { left, right, height } = element.getBoundingClientRect();
    fault(left < 0 || right > width + 0.5, `<${element.localName}> reaches from ${left} to ${right}`);
    fault(element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0, `<${element.localName}> overflows`);
    // WCAG 2.5.8 asks for 24; a thumb wants 44
    fault(element.matches("input, button") && height < 44, `<${element.localName}> is ${height} px high`);
  }
  for (const input of document.querySelectorAll("input")) {
    fault(input.labels.length === 0, "a field has no label");
    fault(parseFloat(getComputedStyle(input).fontSize) < 16, "a phone zooms into a field of less than 16 px");
  }

  // WCAG 2, sections 1.4.3 and 1.4.11
  const rgb = (text) => text.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const c = value / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
      if (colour[3] !== 0) faults.push(`<${at.localName}> lets through what is behind it`);
    }
    faults.push("nothing has a background");
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() === "") continue;
    texts += 1;
    const style = getComputedStyle(element);
    const ratio = contrast(rgb(style.color), background(element));
    fault(ratio < 4.5, `<${element.localName}> has a contrast of ${ratio.toFixed(2)}`);
    fault(parseFloat(style.fontSize) < 14, `<${element.localName}> is written in ${style.fontSize}`);
    fault(style.display === "none" || style.visibility === "hidden", `<${element.localName}> is hidden`);
  }
  for (const control of document.querySelectorAll("input, button")) {
    const ratio = contrast(rgb(getComputedStyle(control).borderTopColor), background(control.parentElement));
    fault(ratio < 3, `the border of <${control.localName}> has a contrast of ${ratio.toFixed(2)}`);
  }
  return { faults: [...new Set(faults)], texts, background: background(document.body).join() };
}
