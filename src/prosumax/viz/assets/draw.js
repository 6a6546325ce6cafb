"use strict";
// Options are plain JSON; functions that format numbers are added here, so that no text of a user is evaluated.
const withNumbers = (option, unit, tag) => {
  const large = new Intl.NumberFormat(tag, {maximumFractionDigits: 2});
  const small = new Intl.NumberFormat(tag, {maximumFractionDigits: 4});
  const text = value => (Math.abs(value) < 1 ? small : large).format(value).replace("-", "−");
  const frame = option.baseOption || option;
  frame.tooltip.valueFormatter = value => {
    const last = Array.isArray(value) ? value[value.length - 1] : value;
    return last === undefined || last === null ? "–" : text(last) + " " + unit;
  };
  for (const axis of [frame.xAxis, frame.yAxis].flat().filter(axis => axis && axis.axisLabel)) {
    if (axis.type === "value" && !axis.axisLabel.formatter) axis.axisLabel.formatter = text;
  }
  return option;
};
const renderSvg = json => {
  const {option, unit, tag, width, height} = JSON.parse(json);
  const chart = echarts.init(null, null, {renderer: "svg", ssr: true, width, height});
  chart.setOption(withNumbers(option, unit, tag));
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
};
const drawAll = () => {
  const charts = {};
  const show = (id, chosen) => document.querySelectorAll(`[data-of="${id}"]`).forEach((node, place) => {
    node.hidden = place % charts[id].choices.length !== chosen;
  });
  document.body.classList.add("scripted");
  for (const {id, unit, tag, option, choices} of JSON.parse(document.getElementById("drawings").textContent)) {
    // A folded drawing has no size yet.
    const node = document.getElementById("chart-" + id), size = node.clientWidth ? {} : {width: 600, height: 300};
    charts[id] = {chart: echarts.init(node, null, {renderer: "svg", ...size}), choices, unit, tag};
    charts[id].chart.setOption(withNumbers(option, unit, tag));
    show(id, 0);
  }
  // The view box lets the style sheet scale a drawing to the paper on which it is printed.
  const frameAll = () => Object.values(charts).forEach(({chart}) => chart.getDom().querySelector("svg")
    .setAttribute("viewBox", `0 0 ${chart.getWidth()} ${chart.getHeight()}`));
  const resizeAll = () => {
    Object.values(charts).filter(({chart}) => chart.getDom().clientWidth)
      .forEach(({chart}) => chart.resize({width: "auto", height: "auto"}));
    frameAll();
  };
  frameAll();
  for (const select of document.querySelectorAll("select[data-chart]")) {
    select.value = "0";
    select.addEventListener("change", () => {
      const {chart, choices, unit, tag} = charts[select.dataset.chart], chosen = choices[select.value];
      // A whole option replaces the one before.
      chart.setOption(chosen.baseOption ? withNumbers(chosen, unit, tag) : chosen,
        {notMerge: Boolean(chosen.baseOption)});
      show(select.dataset.chart, Number(select.value));
    });
  }
  addEventListener("resize", () => {
    if (matchMedia("print").matches) return;
    resizeAll();
  });
  for (const fold of document.querySelectorAll("details.fold")) {
    fold.addEventListener("toggle", () => fold.open && resizeAll());
  }
};
if (typeof document !== "undefined") drawAll();
