document.addEventListener("DOMContentLoaded", () => {
  // The theme has two landmarks of the same kind and names neither.
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "Pages");
  document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");

  // Boxes that scroll can be reached with the keyboard.
  const observer = new ResizeObserver((boxes) => {
    for (const { target } of boxes) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  document.querySelectorAll("pre, .table-wrapper, .figure").forEach((box) => observer.observe(box));
});
