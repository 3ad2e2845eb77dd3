/* Gives the theme's expressions their names: the CSP build of Alpine sees no globals. */
"use strict";
addEventListener("alpine:init", () => {
  for (const name of ["theme", "searchForm", "searchDropdown"]) Alpine.data(name, window[name]);
  Alpine.data("searchCommand", () => ({
    ...window.searchCommand(),
    enter(event) {
      if (!event.metaKey && !event.ctrlKey) this.selectItem(false, false);
    },
  }));
  // One expression each is all that the CSP build reads; these two of the theme are more.
  const rewrite = (name, start, expression) => {
    for (const node of document.querySelectorAll(`[${CSS.escape(name)}^="${start}"]`)) node.setAttribute(name, expression);
  };
  rewrite("x-on:click", "sidebarDesktopOpen = !sidebarDesktopOpen;", "sidebarDesktopOpen = !sidebarDesktopOpen");
  rewrite("x-on:keydown.enter.prevent", "if (", "enter($event)");
  Alpine.data("shell", () => ({
    activeTab: "",
    sidebarMobileOpen: false,
    sidebarDesktopOpen: localStorage.getItem("sidebarDesktopOpen") !== "0",
    window: {
      get location() {
        const { pathname, search, hash } = window.location;
        return { pathname, search, hash };
      },
    },
    sortRecords: (event) => sortRecords(event),
    moveRecords: (event) => moveRecords(event),
    init() {
      const tab = this.$root.dataset.activeTab;
      this.activeTab = tab ? getCurrentTab() || tab : "";
      this.$watch("sidebarDesktopOpen", (open) => localStorage.setItem("sidebarDesktopOpen", open ? "1" : "0"));
    },
  }));
});
