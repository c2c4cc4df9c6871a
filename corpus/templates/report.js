(function () {
  "use strict";
  var root = document.documentElement;
  var radios = { zh: document.getElementById("lang-zh"), en: document.getElementById("lang-en") };
  function show(language) {
    radios[language].checked = true;
    root.lang = language === "zh" ? "zh-Hant-TW" : "en";
  }
  var preferred = navigator.language || "zh";
  show(/^zh/i.test(preferred) ? "zh" : "en");
  Object.keys(radios).forEach(function (language) {
    radios[language].addEventListener("change", function () { show(language); });
  });
  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.prototype.slice.call(document.querySelectorAll("details:not([open])"));
    opened.forEach(function (element) { element.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (element) { element.open = false; });
  });
})();
