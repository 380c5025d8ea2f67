-- tables.lua - tables, strings and closures that come and go: Lua asks its allocator for everything through realloc.
local sum, words = 0, {}
local times = tonumber(arg[1])
for i = 1, 100000 * times do
  words[i % 5000 + 1] = ("%d:%s"):format(i, string.rep("x", i % 40))
  if i % 7 == 0 then sum = sum + #words[i % 5000 + 1] end
end
local function tree(depth)
  if depth == 0 then return { value = 1 } end
  return { left = tree(depth - 1), right = tree(depth - 1), value = depth }
end
local function weigh(t) return t.value + (t.left and weigh(t.left) + weigh(t.right) or 0) end
for _ = 1, 3 * times do sum = sum + weigh(tree(13)) end
local parts = {}
for i = 1, 15000 * times do
  parts[#parts + 1] = function() return i % 10 end
  if #parts == 1000 then
    for j = 1, #parts do sum = sum + parts[j]() end
    parts = {}
  end
end
print(sum, #table.concat(words, ","))
